//! Who is in the story. All names are invented.

/// An officer: name, certificate number, PIN.
#[derive(Clone, Copy)]
pub struct Officer {
    /// Name as printed.
    pub name: &'static str,
    /// Enforcement certificate number.
    pub certificate: &'static str,
    /// PIN on the tablet.
    pub pin: &'static str,
}

/// A tablet with its two officers.
#[derive(Clone, Copy)]
pub struct Tablet {
    /// Folder below `tablets/`.
    pub name: &'static str,
    /// Label that the administrator sees.
    pub label: &'static str,
    /// Suite of its operation key.
    pub suite: &'static str,
    /// First and second officer.
    pub officers: [Officer; 2],
}

/// The agency.
pub const AGENCY: &str = "云岭县应急管理局";
/// Origin of its log: permanent, without a schema, ending in a generation.
pub const ORIGIN: &str = "demo.fieldseal.example/yunling/0";
/// Password of the root key and of the administrator's key.
pub const CEREMONY_PASSWORD: &str = "correct horse battery staple";

/// The two tablets: one with an Ed25519, one with a P-256 operation key.
pub const TABLETS: [Tablet; 2] = [
    Tablet {
        name: "a3",
        label: "平板 A3",
        suite: "ed25519",
        officers: [
            Officer {
                name: "沈执衡",
                certificate: "云应急执20190417",
                pin: "271828",
            },
            Officer {
                name: "陆观澜",
                certificate: "云应急执20200933",
                pin: "314159",
            },
        ],
    },
    Tablet {
        name: "b7",
        label: "平板 B7",
        suite: "p256",
        officers: [
            Officer {
                name: "顾清野",
                certificate: "云应急执20180206",
                pin: "161803",
            },
            Officer {
                name: "温若松",
                certificate: "云应急执20211158",
                pin: "141421",
            },
        ],
    },
];

/// The supervisor, with a laptop of her own.
pub const SUPERVISOR: Officer = Officer {
    name: "方予安",
    certificate: "云应急督20160008",
    pin: "577215",
};
