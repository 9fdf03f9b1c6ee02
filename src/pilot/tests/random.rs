//! Whatever happens, in any order.

use proptest::prelude::*;

use super::*;

/// What may happen to a shell.
#[derive(Debug, Clone)]
enum Move {
    Start,
    /// Of a process that a push message began.
    Unseen,
    RendererGone,
    Navigate,
    /// A page comes up, of which the word comes later.
    Load,
    Word,
    Blank,
    Life(u8),
    Pass(u64),
    Attach,
    /// By the page so many pages ago.
    Ready(usize),
    Report(usize),
    Call(&'static str, Value),
    Offer(u8),
    Work,
    /// A job is done, and its end is told later.
    WorkHalf,
}

fn moves() -> impl Strategy<Value = Move> {
    let plain = ["check", "apply", "reload", "reset", "getState", "getChannel", "cancel"];
    let plain = prop::sample::select(plain.to_vec());
    let wishes = prop::sample::select(vec!["manual", "next-start", "background", "now"]);
    let holds = prop::sample::select(vec![json!(null), json!("background"), json!("restart")]);
    prop_oneof![
        1 => Just(Move::Start),
        1 => Just(Move::Unseen),
        1 => Just(Move::RendererGone),
        4 => Just(Move::Navigate),
        2 => Just(Move::Load),
        2 => Just(Move::Word),
        4 => Just(Move::Blank),
        3 => (0..3_u8).prop_map(Move::Life),
        5 => (0..6_000_u64).prop_map(Move::Pass),
        4 => Just(Move::Attach),
        5 => (0..4_usize).prop_map(Move::Ready),
        1 => (0..4_usize).prop_map(Move::Report),
        2 => plain.prop_map(|method| Move::Call(method, json!({}))),
        3 => wishes.prop_map(|apply| Move::Call("sync", json!({ "apply": apply }))),
        2 => holds.prop_map(|until| Move::Call("setHold", json!({ "until": until }))),
        2 => (1..5_u8).prop_map(Move::Offer),
        6 => Just(Move::Work),
        4 => Just(Move::WorkHalf),
    ]
}

/// Pages that were loaded, newest last: each one's nonce and the folder it came from. An empty document
/// stands after the last one, if so.
struct Tabs(Vec<(String, Option<PathBuf>)>, bool);

impl Tabs {
    fn load(&mut self, shell: &Shell) {
        self.0.push((format!("page {}", self.0.len()), shell.shows()));
        self.1 = false;
    }

    fn ago(&self, pages: usize) -> (String, Option<PathBuf>) {
        self.0[self.0.len().saturating_sub(1 + pages)].clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pages attach as they load; whatever they say later may come as late as it likes. Where the empty
    /// document stands alone, words of navigations, too, come as late as they like.
    #[test]
    fn whatever_happens_only_a_page_of_the_launch_confirms_it(
        moves in prop::collection::vec(moves(), 1..100),
        auto in prop::sample::select(vec!["off", "on-resume"]),
        apply in prop::sample::select(vec!["now", "background", "next-start"]),
        alone in any::<bool>(),
    ) {
        let mut shell = Shell::new(json!({ "autoSync": auto, "apply": apply }));
        (shell.navigates, shell.blanks, shell.slow, shell.alone) = (false, false, true, alone);
        let mut tabs = Tabs(Vec::new(), false);
        let mut seen = true;
        let begin = |shell: &mut Shell, tabs: &mut Tabs, seen| {
            shell.on(Event::Start { exit: None, seen });
            tabs.load(shell);
        };
        begin(&mut shell, &mut tabs, true);
        for step in moves {
            match step {
                Move::Start | Move::Unseen => {
                    seen = matches!(step, Move::Start);
                    begin(&mut shell, &mut tabs, seen);
                }
                Move::RendererGone => {
                    seen = true;
                    shell.on(Event::RendererGone);
                    begin(&mut shell, &mut tabs, true);
                }
                Move::Navigate => {
                    tabs.load(&shell);
                    shell.on(Event::Navigated);
                }
                Move::Load if alone => tabs.load(&shell),
                Move::Word if alone => shell.on(Event::Navigated),
                Move::Load | Move::Word => {}
                Move::Blank => {
                    tabs.1 |= shell.waits.is_some();
                    shell.blank();
                }
                Move::Life(0) => shell.on(Event::Active),
                Move::Life(1) => shell.on(Event::Inactive),
                Move::Life(_) => shell.on(Event::Background),
                Move::Pass(milliseconds) => shell.pass(milliseconds),
                // What the old page said came before it went, and an empty document says nothing.
                Move::Attach if alone && tabs.1 => {}
                Move::Attach => {
                    shell.call("attach", json!({ "nonce": tabs.ago(0).0 }));
                }
                Move::Ready(ago) => {
                    let (nonce, from) = tabs.ago(ago);
                    let ready = shell.call("ready", json!({ "nonce": nonce }));
                    let token = shell.jobs.iter().find_map(|job| match job {
                        Job::Confirm { call, token, .. } if *call == ready => Some(token),
                        _ => None,
                    });
                    // With the token of a trial that the device has left it confirms nothing.
                    let trial = shell.device.trial.as_ref();
                    let trial = trial.filter(|trial| Some(&trial.2) == token);
                    if let Some((trial, ..)) = trial {
                        prop_assert_eq!(from, folder(*trial));
                    }
                }
                Move::Report(ago) => {
                    shell.call("reportFailure", json!({ "nonce": tabs.ago(ago).0 }));
                }
                Move::Call(method, options) => {
                    shell.call(method, options);
                }
                Move::Offer(number) => shell.device.offered = Some(number),
                Move::WorkHalf => shell.work_half(),
                Move::Work => {
                    shell.slow = false;
                    shell.work();
                    shell.slow = true;
                }
            }
            prop_assert!(shell.timers.len() <= 6, "{:?}", shell.timers);
        }
        // Everything that was asked is answered, once all that was begun has ended.
        shell.slow = false;
        shell.work();
        shell.pass(1_000);
        prop_assert_eq!(shell.answers.len(), usize::try_from(shell.calls).unwrap());
        // Nothing that failed stands: what runs is the launch that the store has on trial, or none is.
        let on_trial = shell.device.trial.as_ref().map(|trial| &trial.2);
        let runs = shell.machine.launch.as_ref().and_then(|launch| launch.token.as_ref());
        if seen || runs.is_some() {
            prop_assert_eq!(runs, on_trial);
        }
    }
}
