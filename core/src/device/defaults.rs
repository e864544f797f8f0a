//! What is meant where an inspector leaves something out.

use fieldseal_proof::ids::{InspectionId, ItemId, OpId};

use super::{DeviceError, FieldDevice, NewOrderItem};
use crate::catalogue::Lang;

impl FieldDevice {
    /// Certificate numbers of everybody on this device.
    pub fn everybody(&self) -> Vec<String> {
        let officers = self.officers().into_iter();
        officers.map(|officer| officer.certificate).collect()
    }

    /// Every item of the rule pack in force.
    ///
    /// # Errors
    /// `no_pack`.
    pub fn every_item(&self) -> Result<Vec<String>, DeviceError> {
        Ok(self.pack()?.items().iter().map(|item| item.id.clone()).collect())
    }

    /// What the party is told when credentials are shown: the rule pack's sentence, in the pack's language.
    ///
    /// # Errors
    /// `no_pack`.
    pub fn usual_words(&self) -> Result<String, DeviceError> {
        let pack = self.pack()?;
        let lang = Lang::from_tag(&pack.head().language);
        let sentence = pack.sentence("credentials");
        Ok(sentence.map(|words| words.text(lang).to_owned()).unwrap_or_default())
    }

    /// Orders one thing to be put right, in `order` or else the inspection's order. What a finding says is not typed twice:
    /// an item about one takes its grade and clause over.
    ///
    /// # Errors
    /// As [`FieldDevice::order`].
    pub fn order_item(
        &self,
        inspection: InspectionId,
        order: Option<ItemId>,
        item: &NewOrderItem<'_>,
    ) -> Result<(ItemId, OpId), DeviceError> {
        let state = self.inspection(inspection)?.state;
        let of_finding = |field: &str| state.text(&format!("finding/{}/{field}", item.finding?));
        let grade = item.grade.map(str::to_owned).or_else(|| of_finding("grade"));
        let clause = item.clause.map(str::to_owned).or_else(|| of_finding("clause"));
        let running = state
            .under("order/")
            .next()
            .and_then(|(path, _)| path.split('/').nth(1)?.parse().ok());
        let item = NewOrderItem {
            grade: grade.as_deref(),
            clause: clause.as_deref(),
            ..item.clone()
        };
        self.order(inspection, order.or(running), &[item])
    }
}
