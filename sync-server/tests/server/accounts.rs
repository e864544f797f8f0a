//! Accounts and the access log, as an administrator, a new colleague and a supervisor meet them in the console.

use crate::console::{Browser, PASSWORD, account, location};
use crate::world::*;

/// What stands between two marks of a page.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let rest = page.split_once(before).unwrap_or_else(|| panic!("{before}: {page}")).1;
    rest.split_once(after).unwrap().0
}

const ONE: &str = "/console/accounts/one";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_begins_with_a_word_and_ends_when_it_is_disabled() {
    let world = World::new();
    assert!(account(&world, "root", "管理员", "administrator", PASSWORD));
    let mut admin = Browser::new(&world);
    assert_eq!(admin.sign_in("root", PASSWORD).await.status(), 303);

    let form = [("user", "S-7"), ("name", "周敏"), ("role", "supervisor")];
    let made = admin.post("/console/accounts", &form).await;
    assert_eq!(made.status(), 303);
    let (_, page) = admin.get(&location(&made)).await;
    let word = between(&page, "<code class=\"word\">", "</code>").to_owned();
    assert_eq!(word.len(), 14, "{word}");
    let again = admin.post("/console/accounts", &form).await;
    assert_eq!(again.status(), 422, "a name is given once");
    assert!(again.text().await.unwrap().contains("用户名已有账户"));
    let empty = [("user", "S-8"), ("name", " "), ("role", "legal")];
    assert_eq!(admin.post("/console/accounts", &empty).await.status(), 422);
    let (_, list) = admin.get("/console/accounts").await;
    assert!(list.contains("s-7") && list.contains("等待以一次性口令首次登录") && !list.contains(&word));

    // With the word alone nothing opens but the page where another password is chosen.
    let mut person = Browser::new(&world);
    assert_eq!(person.sign_in("S-7", &word).await.status(), 303);
    for path in [
        "/console/cases",
        "/console/worklist/conflicts",
        "/console/settings",
        "/console/cases.csv",
    ] {
        let answer = person.open(path).await;
        assert_eq!(
            (answer.status().as_u16(), location(&answer).as_str()),
            (303, "/console/password"),
            "{path}"
        );
    }
    let own = "a password of my own";
    let change =
        |now: &'static str, new: &'static str, again: &'static str| [("password", now), ("new", new), ("again", again)];
    assert_eq!(
        person
            .post("/console/password", &change("not the word", own, own))
            .await
            .status(),
        422
    );
    let word_kept: &'static str = Box::leak(word.clone().into_boxed_str());
    assert_eq!(
        person
            .post("/console/password", &change(word_kept, "short", "short"))
            .await
            .status(),
        422
    );
    assert_eq!(
        person
            .post("/console/password", &change(word_kept, own, "another of my own"))
            .await
            .status(),
        422
    );
    assert_eq!(
        person
            .post("/console/password", &change(word_kept, word_kept, word_kept))
            .await
            .status(),
        422
    );
    assert_eq!(person.open("/console/cases").await.status(), 303, "nothing was changed");
    assert_eq!(
        person
            .post("/console/password", &change(word_kept, own, own))
            .await
            .status(),
        303
    );
    assert_eq!(person.open("/console/cases").await.status(), 200);
    assert_eq!(
        Browser::new(&world).sign_in("S-7", &word).await.status(),
        422,
        "the word holds once"
    );

    // A reset, a lock-out, a role, the end.
    let deed = |deed: &'static str| [("user", "s-7"), ("deed", deed), ("role", "legal")];
    let reset = admin.post(ONE, &deed("reset")).await;
    let (_, page) = admin.get(&location(&reset)).await;
    let second = between(&page, "<code class=\"word\">", "</code>").to_owned();
    assert_ne!(second, word);
    assert_eq!(
        person.open("/console/cases").await.status(),
        303,
        "her sessions are over"
    );
    for _ in 0..6 {
        assert_eq!(person.sign_in("S-7", "no").await.status(), 422);
    }
    assert_eq!(person.sign_in("S-7", &second).await.status(), 429);
    let (_, page) = admin.get(&format!("{ONE}?user=s-7")).await;
    assert!(page.contains("连续输错") && page.contains("解除锁定"), "{page}");
    assert_eq!(admin.post(ONE, &deed("unlock")).await.status(), 303);
    assert_eq!(person.sign_in("S-7", &second).await.status(), 303);
    assert_eq!(admin.post(ONE, &deed("role")).await.status(), 303);
    assert!(admin.get(&format!("{ONE}?user=s-7")).await.1.contains("法制审核"));
    assert_eq!(admin.post(ONE, &deed("disable")).await.status(), 303);
    assert_eq!(person.sign_in("S-7", &second).await.status(), 422);
    assert_eq!(admin.post(ONE, &deed("enable")).await.status(), 303);
    assert_eq!(person.sign_in("S-7", &second).await.status(), 303);

    // Nobody shuts himself out, nobody else comes in, and each deed is in the log.
    for deed in ["disable", "role"] {
        let own = [("user", "root"), ("deed", deed), ("role", "legal")];
        assert_eq!(admin.post(ONE, &own).await.status(), 400, "{deed}");
    }
    assert!(account(&world, "S-1", "方予安", "supervisor", PASSWORD));
    let mut supervisor = Browser::new(&world);
    assert_eq!(supervisor.sign_in("S-1", PASSWORD).await.status(), 303);
    assert_eq!(supervisor.get("/console/accounts").await.0, 403);
    assert_eq!(supervisor.post(ONE, &deed("disable")).await.status(), 403);
    assert_eq!(supervisor.get(&format!("{ONE}?user=s-7")).await.0, 403);
    let (status, log) = admin.get("/console/access?deed=console.administer").await;
    assert_eq!(status, 200);
    for line in [
        "account make s-7 supervisor",
        "account reset s-7",
        "account unlock s-7",
        "account disable s-7 legal",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(
        log.find("account enable") < log.find("account make"),
        "the newest comes first"
    );
    assert!(log.contains("管理员 root"), "{log}");
    for word in [&word, &second] {
        assert!(!log.contains(word.as_str()));
    }
}
