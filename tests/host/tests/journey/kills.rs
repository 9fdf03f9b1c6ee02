//! The app is killed between any two steps of its first update, and comes to the new release all the
//! same.

use farad_host::routes::Platform;
use serde_json::json;

use crate::phone::{Phone, Running};
use crate::publisher::Publisher;

/// An app that updates itself as it starts.
const EAGER: &str = r"
    let answer;
    Farad.ready().then((ready) => { answer = ready; return Farad.sync({ apply: 'now' }); });
";

fn phone(publisher: &Publisher, platform: Platform) -> Phone {
    let package = publisher.package(platform, &publisher.plain("1.0.0", EAGER));
    let settings = publisher.settings(&json!({}));
    Phone::new(platform, package, settings)
}

/// Takes `steps` steps, or all there are until the new release is confirmed; says which they were.
fn take(app: &Running, steps: usize) -> Vec<String> {
    let mut taken = Vec::new();
    while taken.len() < steps {
        let step = app.next_step().unwrap();
        taken.push(step);
        // The second page's `ready` is answered: the journey is over.
        let ready = taken.iter().filter(|step| *step == "call ready").count();
        let shown = taken.iter().any(|step| step == "shown");
        if shown && ready == 2 && taken.last().is_some_and(|step| step == "resolve") {
            break;
        }
        if taken.len() < steps {
            app.go();
        }
    }
    taken
}

/// Every step would take minutes: the platforms, whose steps are nearly the same, take every other
/// one in turn, unless `FARAD_EVERY_STEP` is set.
fn is_killed_and_gets_there(platform: Platform, first: usize) {
    let every = std::env::var_os("FARAD_EVERY_STEP").is_some();
    let (first, stride) = if every { (1, 1) } else { (first, 2) };
    let publisher = Publisher::new();
    publisher.release_plain("1.1.0", EAGER);
    let all = take(&phone(&publisher, platform).start_in_lockstep(), usize::MAX);
    assert!(all.len() > 20, "{all:?}");
    for steps in (first..=all.len()).step_by(stride) {
        let phone = phone(&publisher, platform);
        let app = phone.start_in_lockstep();
        let taken = take(&app, steps);
        app.kill();
        let app = phone.start();
        app.until("document.title === '1.1.0' && answer?.current.version === '1.1.0'");
        let state = app.eval("settled(Farad.getState())");
        assert_eq!(state["blocked"], json!([]), "killed after {taken:?}");
        assert_eq!(state["current"]["version"], "1.1.0", "killed after {taken:?}");
    }
}

#[test]
fn killed_between_any_two_steps_the_app_still_gets_there_on_android() {
    is_killed_and_gets_there(Platform::Android, 1);
}

#[test]
fn killed_between_any_two_steps_the_app_still_gets_there_on_ios() {
    is_killed_and_gets_there(Platform::Ios, 2);
}
