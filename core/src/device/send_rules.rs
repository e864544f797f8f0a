//! Which network each class of evidence may use, and what goes over any network all the same.
//!
//! Records have no rule: nothing holds them back. The host says what its network is; where it says nothing, nothing waits for
//! another one. What a rule holds back counts as waiting everywhere, and is said apart.

use std::collections::BTreeSet;

use fieldseal_proof::ids::BlobHash;

use super::{DeviceError, FieldDevice};
use crate::store::BlobRow;
use crate::sync::store::{BlobClass, HeldBack};

/// Names of the facts in the store: four words, and 32 bytes for each file.
const RULES: &str = "send_rules";
const NOW: &str = "send_now";

/// What the host says about its network and its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Whether its bytes are counted and paid for, or scarce.
    pub metered: bool,
    /// Whether the device is being charged.
    pub charging: bool,
}

impl Default for Network {
    /// A host that says nothing holds nothing back.
    fn default() -> Self {
        Self {
            metered: false,
            charging: true,
        }
    }
}

/// What a class of evidence waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendRule {
    /// Nothing.
    Any,
    /// A network that is not metered.
    Unmetered,
    /// A network that is not metered, while the device is charged.
    Charging,
}

impl SendRule {
    /// Every rule, from the freest.
    pub const ALL: [SendRule; 3] = [Self::Any, Self::Unmetered, Self::Charging];

    /// The word in the store, on the command line and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Unmetered => "unmetered",
            Self::Charging => "charging",
        }
    }

    /// The rule of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }

    /// Whether evidence under this rule may go over this network now.
    pub fn allows(self, network: Network) -> bool {
        match self {
            Self::Any => true,
            Self::Unmetered => !network.metered,
            Self::Charging => !network.metered && network.charging,
        }
    }
}

/// The rule of each class, on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendRules([SendRule; 4]);

impl Default for SendRules {
    fn default() -> Self {
        Self([SendRule::Any, SendRule::Any, SendRule::Unmetered, SendRule::Unmetered])
    }
}

impl SendRules {
    /// The rule of a class.
    pub fn of(&self, class: BlobClass) -> SendRule {
        self.0[class as usize]
    }

    /// The same with another rule for one class.
    #[must_use]
    pub fn with(mut self, class: BlobClass, rule: SendRule) -> Self {
        self.0[class as usize] = rule;
        self
    }

    fn text(self) -> String {
        self.0.map(SendRule::as_str).join(",")
    }

    /// `None` for a text of another version: then the usual rules hold.
    fn parse(text: &[u8]) -> Option<Self> {
        let words = std::str::from_utf8(text).ok()?.split(',').map(SendRule::of_word);
        let rules: Vec<SendRule> = words.collect::<Option<_>>()?;
        rules.try_into().ok().map(Self)
    }
}

impl FieldDevice {
    /// The rules of this device; as long as nobody chose: sound and films wait for a network that is not metered, all else goes.
    ///
    /// # Errors
    /// When the database does.
    pub fn send_rules(&self) -> Result<SendRules, DeviceError> {
        let text = self.store.fact(RULES)?;
        Ok(text.and_then(|text| SendRules::parse(&text)).unwrap_or_default())
    }

    /// Chooses the rule of one class, from the next sync on.
    ///
    /// # Errors
    /// When the database does.
    pub fn set_send_rule(&self, class: BlobClass, rule: SendRule) -> Result<SendRules, DeviceError> {
        let rules = self.send_rules()?.with(class, rule);
        self.store.set_fact(RULES, rules.text().as_bytes())?;
        Ok(rules)
    }

    /// Lets one file, or everything that waits now, go over any network from the next sync on. What is captured later waits again.
    ///
    /// # Errors
    /// `not_found` for a file that does not wait.
    pub fn send_now(&self, file: Option<BlobHash>) -> Result<HeldBack, DeviceError> {
        let waiting = self.store.blobs_to_send(usize::MAX)?;
        let chosen: Vec<&BlobRow> = waiting
            .iter()
            .filter(|row| file.is_none_or(|file| row.sha256 == file))
            .collect();
        if let (Some(file), true) = (file, chosen.is_empty()) {
            return Err(DeviceError::not_found(file));
        }
        let mut now = self.sends_now()?;
        // Those that have arrived since are forgotten here.
        now.retain(|held| waiting.iter().any(|row| row.sha256 == *held));
        now.extend(chosen.iter().map(|row| row.sha256));
        let bytes: Vec<u8> = now.iter().flat_map(|file| *file.as_bytes()).collect();
        self.store.set_fact(NOW, &bytes)?;
        Ok(HeldBack {
            blobs: chosen.len() as u64,
            bytes: chosen.iter().map(|row| row.size).sum(),
        })
    }

    /// What waits under a rule, whatever the network is at the moment.
    ///
    /// # Errors
    /// When the database does.
    pub fn waiting_under(&self, rule: SendRule) -> Result<HeldBack, DeviceError> {
        let (rules, now) = (self.send_rules()?, self.sends_now()?);
        let rows = self.store.blobs_to_send(usize::MAX)?;
        let under = |row: &&BlobRow| {
            let freed = now.contains(&row.sha256);
            let theirs = if freed {
                SendRule::Any
            } else {
                rules.of(BlobClass::of(&row.media_type))
            };
            theirs == rule
        };
        Ok(rows.iter().filter(under).fold(HeldBack::default(), HeldBack::and))
    }

    /// The files to send over this network, at most `most`, in order of arrival.
    pub(super) fn may_go(&self, network: Network, most: usize) -> Result<Vec<BlobRow>, DeviceError> {
        if SendRule::Charging.allows(network) {
            return Ok(self.store.blobs_to_send(most)?);
        }
        let (mut rows, _) = self.sorted(network)?;
        rows.truncate(most);
        Ok(rows)
    }

    /// The files that wait for another network than this one.
    pub(super) fn held_back(&self, network: Network) -> Result<HeldBack, DeviceError> {
        if SendRule::Charging.allows(network) {
            return Ok(HeldBack::default());
        }
        let (_, stay) = self.sorted(network)?;
        Ok(stay.iter().fold(HeldBack::default(), HeldBack::and))
    }

    /// What waits: what may go, and what stays.
    fn sorted(&self, network: Network) -> Result<(Vec<BlobRow>, Vec<BlobRow>), DeviceError> {
        let (rules, now) = (self.send_rules()?, self.sends_now()?);
        let goes =
            |row: &BlobRow| rules.of(BlobClass::of(&row.media_type)).allows(network) || now.contains(&row.sha256);
        Ok(self.store.blobs_to_send(usize::MAX)?.into_iter().partition(goes))
    }

    fn sends_now(&self) -> Result<BTreeSet<BlobHash>, DeviceError> {
        let bytes = self.store.fact(NOW)?.unwrap_or_default();
        let (files, _) = bytes.as_chunks::<32>();
        Ok(files.iter().copied().map(BlobHash::from_bytes).collect())
    }
}

impl HeldBack {
    fn and(self, row: &BlobRow) -> Self {
        Self {
            blobs: self.blobs + 1,
            bytes: self.bytes + row.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_allows_what_it_says() {
        let network = |metered, charging| Network { metered, charging };
        let allowed = |rule: SendRule| {
            [(true, false), (true, true), (false, false), (false, true)].map(|(m, c)| rule.allows(network(m, c)))
        };
        assert_eq!(allowed(SendRule::Any), [true; 4]);
        assert_eq!(allowed(SendRule::Unmetered), [false, false, true, true]);
        assert_eq!(allowed(SendRule::Charging), [false, false, false, true]);
        assert!(SendRule::ALL.into_iter().all(|rule| rule.allows(Network::default())));
    }

    #[test]
    fn rules_are_read_back_and_other_texts_are_none() {
        let rules = SendRules::default().with(BlobClass::Photo, SendRule::Charging);
        assert_eq!(SendRules::parse(rules.text().as_bytes()), Some(rules));
        assert_eq!(rules.text(), "any,charging,unmetered,unmetered");
        for text in ["", "any", "any,any,any,any,any", "any,any,any,wlan"] {
            assert_eq!(SendRules::parse(text.as_bytes()), None, "{text}");
        }
    }
}
