//! Every printed label of the official forms (安全生产行政执法文书式样, 2016) is there, in the same order.
//!
//! Where the print says 安全生产监督管理 the sample names the agency that took over in 2018, as data.

use crate::support::{render, sample, squeezed, text};

/// Form 3, 现场检查记录, pages 5 and 6 of the prints.
const INSPECTION_RECORD: [&str; 33] = [
    "安全生产行政执法文书",
    "现场检查记录",
    "（",
    "）",
    "应急检记",
    "〔",
    "〕",
    "号",
    "被检查单位",
    "地址",
    "法定代表人（负责人）",
    "职务",
    "联系电话",
    "检查场所",
    "检查时间",
    "年",
    "月",
    "日",
    "时",
    "分至",
    "月",
    "日",
    "时",
    "分",
    "我们是",
    "行政执法人员",
    "、",
    "，证件号码为",
    "、",
    "，这是我们的证件（出示证件）。",
    "现依法对你单位进行现场检查，请予以配合。",
    "检查情况：",
    "检查人员（签名）：",
];

/// The foot of form 3, the same on the first and on a continuation page.
const INSPECTION_FOOT: [&str; 8] = [
    "检查人员（签名）：",
    "被检查单位现场负责人（签名）：",
    "年",
    "月",
    "日",
    "共",
    "页第",
    "页",
];

/// Form 5, 责令限期整改指令书, page 8 of the prints. The remedies are data.
const RECTIFICATION_ORDER: [&str; 40] = [
    "安全生产行政执法文书",
    "责令限期整改指令书",
    "（",
    "）",
    "应急责改",
    "〔",
    "〕",
    "号",
    "：",
    "经查，你单位存在下列问题：",
    "1．",
    "2．",
    "3．",
    "（此栏不够，可另附页）",
    "。",
    "现责令你单位对上述第",
    "项问题于",
    "年",
    "月",
    "日前",
    "整改完毕，达到有关法律法规规章和标准规定的要求。",
    "由此造成事故的，依法追究有关人员的责任。",
    "整改期间，你单位应当采取措施，确保安全生产。",
    "对安全生产违法行为，将依法予以行政处罚。",
    "如果不服本指令，可以依法在60日内向",
    "人民政府或者",
    "申请行政复议，或者在6个月内依法向",
    "人民法院提起行政诉讼，但本指令不停止执行，法律另有规定的除外。",
    "安全生产监管行政执法人员（签名）：",
    "证号：",
    "证号：",
    "被检查单位负责人（签名）：",
    "（印章）",
    "年",
    "月",
    "日",
    "本文书一式两份：一份由",
    "备案，一份交被检查单位。",
    "共",
    "页",
];

/// What 法发〔2016〕22号 art. 14 asks of a list of electronic data, and our columns.
const ELECTRONIC_DATA_LIST: [&str; 17] = [
    "安全生产行政执法文书",
    "电子数据清单",
    "案件名称",
    "当事人",
    "取证单位",
    "名称及证明内容",
    "采集人",
    "完整性校验值（SHA-256）",
    "完整性校验值（SHA-256）",
    "完整性校验值（SHA-256）",
    "采集人（签名）：",
    "证号：",
    "证号：",
    "电子数据持有人（提供人）（签名）：",
    "见证人（签名）：",
    "本清单一式两份",
    "共",
];

/// Panics with the first label that does not follow the one before.
fn assert_in_order(page: &str, labels: &[&str]) {
    let page = squeezed(page);
    let mut rest = page.as_str();
    for label in labels {
        let at = rest
            .find(&squeezed(label))
            .unwrap_or_else(|| panic!("{label:?} is missing in: …{rest}"));
        rest = &rest[at + squeezed(label).len()..];
    }
}

#[test]
fn inspection_record() {
    let page = text(&render("inspection_record", &sample("inspection_record")).pdf);
    assert_in_order(&page, &INSPECTION_RECORD);
    assert_in_order(&page, &INSPECTION_FOOT);
}

#[test]
fn rectification_order() {
    let page = text(&render("rectification_order", &sample("rectification_order")).pdf);
    assert_in_order(&page, &RECTIFICATION_ORDER);
}

#[test]
fn electronic_data_list() {
    let page = text(&render("electronic_data_list", &sample("electronic_data_list")).pdf);
    assert_in_order(&page, &ELECTRONIC_DATA_LIST);
}

#[test]
fn blank_forms_keep_their_labels() {
    let mut data = sample("inspection_record");
    for path in ["place", "from", "to", "signed_on"] {
        data[path] = serde_json::Value::Null;
    }
    for path in ["address", "representative", "position", "phone"] {
        data["party"][path] = "".into();
    }
    data["number"] = serde_json::json!({"word": "应急检记"});
    let page = text(&render("inspection_record", &data).pdf);
    assert_in_order(&page, &INSPECTION_RECORD);
    assert_in_order(&page, &INSPECTION_FOOT);
}

#[test]
#[should_panic(expected = "is missing in")]
fn the_order_is_checked() {
    assert_in_order("职务 地址", &["地址", "职务"]);
}
