//! The custody of a piece of evidence, against the operations and openings that made it, and against the bytes that lie here.

use std::path::{Path, PathBuf};

use fieldseal_proof::cbor::Value;
use fieldseal_proof::hash::sha256;
use reqwest::StatusCode;

use crate::console::{Browser, PASSWORD};
use crate::console_filters::cells;
use crate::pages::{EVIDENCE, FILM, desk, inspection, picture};
use crate::world::*;

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let below = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    below
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// The rows of the custody table: time, event, who, where, whether the bytes are the same, basis.
fn custody(page: &str) -> Vec<Vec<String>> {
    let section = page.split("<h2 id=\"custody-h\">").nth(1).unwrap();
    cells(section.split("</section>").next().unwrap())
}

/// A device's clock where the agency is.
fn shown(ms: u64) -> String {
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap()).unwrap();
    jiff::tz::offset(8)
        .to_datetime(moment)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_of_custody_is_an_operation_or_an_opening_and_says_whether_the_bytes_are_the_same() {
    let mut world = World::new();
    let (mut tablet, id) = inspection(&mut world).await;
    let supervisor = world.device(13, "supervisor").await;
    let handed = "71717171-7171-7171-7171-717171717171";
    let at = |field: &str| format!("custody/{handed}/{field}");
    let event = vec![
        (at("by"), Value::text("何青川")),
        (at("event"), Value::text("transferred")),
        (at("evidence"), Value::Array(vec![Value::bytes(EVIDENCE.as_bytes())])),
        (at("note"), Value::text("交证物室")),
    ];
    let event = tablet.write("custody.event", Some(id), event);
    assert_eq!(world.push(&tablet, &[event.frame()]).await.0, 200);
    world.feed(&supervisor, &mut String::new()).await;
    let mut browser = desk(&world, "S-1", "supervisor").await;
    let original = format!("/console/originals/{}", hex::encode(sha256(&picture())));
    let item = format!("/console/cases/{id}/evidence/{EVIDENCE}");

    // The sealing is the tablet's fifth operation; where it was is its own word. A hand-over has no place and touches no bytes.
    let by_tablet = "由设备“d10”的密钥（软件保管）签名";
    let sealing = |n: u64, same: &str| {
        let when = shown(1_700_000_000_000 + n);
        [
            when.as_str(),
            "已固化",
            by_tablet,
            "30.000000, 120.000000",
            same,
            "签名",
        ]
        .map(str::to_owned)
    };
    let handing = [
        shown(event.header().clock.wall_ms),
        "移交 交证物室".to_owned(),
        format!("何青川 {by_tablet}"),
        "未填写".to_owned(),
        "不适用".to_owned(),
        "签名".to_owned(),
    ];
    let (status, page) = browser.get(&item).await;
    assert_eq!(status, 200);
    assert_eq!(custody(&page), [sealing(4, "是").to_vec(), handing.to_vec()], "{page}");
    // What did not arrive was not compared.
    let (_, film) = browser.get(&format!("/console/cases/{id}/evidence/{FILM}")).await;
    assert_eq!(custody(&film), [sealing(5, "未检验").to_vec()], "{film}");

    // Somebody opens it: the server writes who read the bytes here, and signs into the case that they were read.
    assert_eq!(browser.open(&original).await.status(), 200);
    world.feed(&supervisor, &mut String::new()).await;
    let (_, page) = browser.get(&item).await;
    let rows = custody(&page);
    assert_eq!(
        (rows.len(), &rows[..2]),
        (4, &[sealing(4, "是").to_vec(), handing.to_vec()][..]),
        "{page}"
    );
    let of = |event: &str| {
        rows.iter()
            .find(|row| row[1] == event)
            .unwrap_or_else(|| panic!("no {event}: {rows:?}"))
    };
    let (opened, read) = (of("打开原件"), of("调阅"));
    assert_eq!(opened[2..], ["周敏 s-1 · 主管", "本服务器", "是", "服务器访问日志"]);
    assert_eq!(
        (read[3..].join(" "), read[2].contains("服务器代管密钥")),
        ("未填写 不适用 签名".to_owned(), true),
        "{read:?}"
    );

    // The bytes here change, their file is cut to nothing, and it is gone: each time the page says so, and breaks not.
    let blobs = files(&world.dir().join("blobs"));
    assert_eq!(blobs.len(), 2, "{blobs:?}");
    for harm in ["a byte at the end", "everything", "the file"] {
        world.stop();
        for blob in &blobs {
            match harm {
                "a byte at the end" => {
                    let mut bytes = std::fs::read(blob).unwrap();
                    *bytes.last_mut().unwrap() ^= 1;
                    std::fs::write(blob, bytes).unwrap();
                }
                "everything" => std::fs::write(blob, b"").unwrap(),
                _ => std::fs::remove_file(blob).unwrap(),
            }
        }
        world.start();
        let mut browser = Browser::new(&world);
        assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
        let (status, page) = browser.get(&item).await;
        assert_eq!(status, StatusCode::OK, "{harm}: {page}");
        let rows = custody(&page);
        assert_eq!(rows[0], sealing(4, "否"), "{harm}");
        assert_eq!(rows.iter().filter(|row| row[4] == "否").count(), 2, "{harm}: {rows:?}");
        assert!(page.contains("INVALID"), "{harm}: {page}");
    }
}
