//! Orders of earlier visits, and what became of them.

use std::collections::BTreeMap;

use fieldseal_proof::ids::{CaseId, EnterpriseId, InspectionId, ItemId, OpId};

use super::{DeviceError, FieldDevice};
use crate::domain::view::{JudgedOrder, judged_orders};
use crate::domain::{Day, OrderReview, Paragraph, ReviewResult};
use crate::merge::{Scope, State};

impl FieldDevice {
    /// Records what a review found about an ordered item of an earlier visit: `fulfilled`, `partly` or `not_fulfilled`.
    ///
    /// # Errors
    /// `choice_unknown`; `not_found` for an inspection, order or item that is not held here, or of another enterprise.
    pub fn review(
        &self,
        inspection: InspectionId,
        order: ItemId,
        item: ItemId,
        result: &str,
        note: &str,
    ) -> Result<OpId, DeviceError> {
        let result = ReviewResult::parse(result)?;
        let note = Paragraph::parse_opt("note", note)?;
        let enterprise = self.inspection(inspection)?.row.enterprise;
        let orders = match enterprise {
            Some(enterprise) => judged_orders(&self.visits(enterprise)?, self.day()),
            None => Vec::new(),
        };
        let of_order = orders.iter().filter(|held| held.order == order);
        if !of_order.flat_map(|held| &held.items).any(|held| held.item == item) {
            return Err(DeviceError::not_found(item));
        }
        let review = OrderReview {
            order,
            item,
            result,
            note,
        };
        self.record(inspection, review.act())
    }

    /// Orders of an enterprise's other cases of which something is left to do, with what is known of each item.
    pub(super) fn open_orders(
        &self,
        enterprise: EnterpriseId,
        except: CaseId,
    ) -> Result<Vec<JudgedOrder>, DeviceError> {
        let mut orders = judged_orders(&self.visits(enterprise)?, self.day());
        orders.retain(|order| order.case != except && order.items.iter().any(|item| !item.is_fulfilled()));
        Ok(orders)
    }

    /// Every case of an enterprise, folded.
    fn visits(&self, enterprise: EnterpriseId) -> Result<BTreeMap<CaseId, State>, DeviceError> {
        let cases = self.store.cases_of_enterprise(enterprise)?;
        let visits = cases
            .into_iter()
            .map(|case| Ok((case, self.store.state(Scope::Case(case))?)));
        visits.collect()
    }

    /// Today where the agency is, or, before a pack says where that is, in UTC.
    fn day(&self) -> Day {
        match self.pack() {
            Ok(pack) => self.today(&pack),
            Err(_) => Day::of_ms(self.clock.now().wall_ms, 0)
                .or_else(|| Day::of_ms(0, 0))
                .unwrap_or_else(|| unreachable!("1970 is in the calendar")),
        }
    }
}
