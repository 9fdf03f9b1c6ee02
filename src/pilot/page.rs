//! Whose `ready()` it is: which page belongs to which launch.
//!
//! Enters: launches, navigations, nonces of pages. Leaves: whether a page came from the launch that
//! runs. Refuses: a page that attached to an earlier launch, one that attaches between a switch and
//! the navigation that follows it, and one that never attached. The launch's token never meets a
//! page.
//!
//! A navigation does not say which folder its page was read from. An old page that reloads itself
//! may have fetched its HTML before the folder was switched, and begin after. So shells end the old
//! document before they switch: they load an empty one, and switch once that stands. It cancels what
//! the old document had begun, and begins nothing itself. Whatever navigates after the switch was
//! read from the new folder.
//!
//! The word of a navigation may come after the calls of the page that it brought: an old web view of
//! Android's tells of both on threads of their own. Where the shell has shown that the empty document
//! stands alone, it needs none: the next page that speaks can only be the new one.

use std::collections::VecDeque;

use super::call::Nonce;

/// Pages that are remembered. A launch has one page at a time; more come from reloads.
const KEPT: usize = 16;

/// The pages of the running launch and of those before it.
#[derive(Debug, Default)]
pub(super) struct Pages {
    launch: u64,
    opening: Opening,
    /// Which launch a page attached to; nothing where it came between two.
    attached: VecDeque<(Nonce, Option<u64>)>,
}

/// How far the running launch's page is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Decided; the page before it still stands, or what it began.
    Decided,
    /// That page is gone, the launch's folder is served, and no word of a navigation came since.
    Shown {
        /// Nor may anything come up that the old page began.
        alone: bool,
    },
    /// Its page began to load.
    #[default]
    Begun,
}

impl Pages {
    /// A new launch in a new web view: there is no page before it.
    pub(super) fn begin(&mut self, launch: u64) {
        (self.launch, self.opening) = (launch, Opening::Begun);
    }

    /// A new launch whose page will replace the one that stands.
    pub(super) fn switch(&mut self, launch: u64) {
        (self.launch, self.opening) = (launch, Opening::Decided);
    }

    /// The old page is gone, and the folder of `launch` is served from now on; whether that is the
    /// running launch, and news. One that was overtaken by the next decision is not. `alone` if
    /// nothing that the old page began may come up any more.
    pub(super) fn shown(&mut self, launch: u64, alone: bool) -> bool {
        let shown = self.opening == Opening::Decided && launch == self.launch;
        if shown {
            self.opening = Opening::Shown { alone };
        }
        shown
    }

    /// Whether the running launch's folder is served.
    pub(super) fn is_shown(&self) -> bool {
        self.opening != Opening::Decided
    }

    /// The main frame began to load a page; whether it is the running launch's first. One that
    /// began before the folder was switched is a reload of the old page.
    pub(super) fn navigated(&mut self) -> bool {
        let first = matches!(self.opening, Opening::Shown { .. });
        if first {
            self.opening = Opening::Begun;
        }
        first
    }

    /// The page `nonce` attaches; whether it belongs to the running launch. A page keeps the launch
    /// that it attached to first.
    pub(super) fn attach(&mut self, nonce: &Nonce) -> bool {
        if self.attached.iter().all(|(known, _)| known != nonce) {
            let opened = matches!(self.opening, Opening::Begun | Opening::Shown { alone: true });
            let launch = opened.then_some(self.launch);
            if self.attached.len() == KEPT {
                self.attached.pop_front();
            }
            self.attached.push_back((nonce.clone(), launch));
        }
        self.is_current(Some(nonce))
    }

    /// Whether the page `nonce` belongs to the running launch.
    pub(super) fn is_current(&self, nonce: Option<&Nonce>) -> bool {
        let mut attached = self.attached.iter();
        attached.any(|(known, launch)| Some(known) == nonce && *launch == Some(self.launch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(text: &str) -> Nonce {
        serde_json::from_value(text.into()).unwrap()
    }

    #[test]
    fn only_a_page_whose_navigation_followed_the_switch_belongs_to_the_launch() {
        let mut pages = Pages::default();
        pages.begin(1);
        assert!(pages.attach(&nonce("old")));
        pages.switch(2);
        assert!(!pages.is_current(Some(&nonce("old"))));
        pages.navigated();
        assert!(!pages.attach(&nonce("a reload of the old page")));
        assert!(!pages.is_shown() && pages.shown(2, false) && pages.is_shown());
        assert!(!pages.attach(&nonce("before anything navigated")));
        pages.navigated();
        assert!(pages.attach(&nonce("new")));
        assert!(!pages.attach(&nonce("old")), "attaching again changes nothing");
        assert!(!pages.attach(&nonce("a reload of the old page")));
        assert!(!pages.is_current(None), "code without a page confirms nothing");
        assert!(!pages.is_current(Some(&nonce("never attached"))));
    }

    #[test]
    fn a_launch_that_was_overtaken_before_it_was_shown_opens_nothing() {
        let mut pages = Pages::default();
        pages.begin(1);
        pages.switch(2);
        pages.switch(3);
        assert!(!pages.shown(2, true), "the folder that is served is not the running launch's");
        pages.navigated();
        assert!(!pages.attach(&nonce("of launch 2")));
        assert!(pages.shown(3, false));
        pages.navigated();
        assert!(!pages.attach(&nonce("of launch 2")));
        assert!(pages.attach(&nonce("of launch 3")));
    }

    #[test]
    fn where_nothing_of_the_old_page_may_come_a_page_needs_no_word_of_its_navigation() {
        let mut pages = Pages::default();
        pages.begin(1);
        assert!(pages.attach(&nonce("old")));
        pages.switch(2);
        assert!(!pages.attach(&nonce("a reload of the old page")));
        assert!(pages.shown(2, true));
        assert!(pages.attach(&nonce("new")));
        assert!(!pages.is_current(Some(&nonce("old"))));
        assert!(!pages.is_current(Some(&nonce("a reload of the old page"))));
        assert!(pages.navigated(), "the word comes late, and is news to listeners");
        assert!(pages.is_current(Some(&nonce("new"))));
    }

    #[test]
    fn a_page_that_loads_twice_stays_with_its_launch() {
        let mut pages = Pages::default();
        pages.begin(1);
        assert!(pages.attach(&nonce("first load")));
        pages.navigated();
        assert!(pages.attach(&nonce("second load")));
        assert!(pages.is_current(Some(&nonce("first load"))));
    }

    #[test]
    fn pages_without_end_push_out_the_oldest_and_revive_none() {
        let mut pages = Pages::default();
        pages.begin(1);
        pages.attach(&nonce("old"));
        pages.switch(2);
        pages.shown(2, false);
        for reload in 0..100 {
            pages.attach(&nonce(&format!("in between {reload}")));
        }
        pages.navigated();
        assert!(!pages.is_current(Some(&nonce("old"))));
        assert_eq!(pages.attached.len(), KEPT);
    }
}
