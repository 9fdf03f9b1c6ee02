//! Calls of pages: what each does, and what it is answered.

use serde_json::{Value, json};

use super::api::{self, Bundle, ReadyResult, Stage, StateResult};
use super::call::{Apply, Call};
use super::event::{Asked, CallId, Effect, Job, Now, Switch};
use super::machine::{Idle, Machine};
use crate::boot::Reason;
use crate::error::{Error, Result};

impl Machine {
    pub(super) fn call(&mut self, id: CallId, call: Result<Call>, now: Now) {
        match (self.idle.clone(), call) {
            (Some(Idle::Invalid(why)), _) => self.reject(id, &Error::Config(why), Stage::Config),
            (Some(Idle::NoStore { doing, kind }), _) => {
                self.reject(id, &Error::storage(doing, kind.into()), Stage::Call);
            }
            (_, Err(error)) => self.reject(id, &error, Stage::Call),
            (Some(Idle::LiveReload | Idle::Disabled), Ok(call)) => self.idle_call(id, &call),
            (None, Ok(call)) => self.live_call(id, call, now),
        }
    }

    /// As in a browser: nothing happens, and nothing fails.
    pub(super) fn idle_call(&mut self, id: CallId, call: &Call) {
        let builtin = Bundle::builtin();
        let answer = match call {
            Call::Ready(_) => json!(ReadyResult {
                current: builtin,
                previous: None,
                rolled_back: None,
                reason: None,
            }),
            Call::Check => api::checked(None),
            Call::Sync(_) => api::synced(None),
            Call::Apply => json!({ "applying": false }),
            Call::State => json!(StateResult {
                builtin: builtin.clone(),
                current: builtin,
                next: None,
                held: None,
                previous: None,
                blocked: Vec::new(),
                channel: None,
                syncing: false,
                last_check: None,
                last_error: None,
                below_floor: false,
            }),
            Call::Channel => json!({ "channel": null }),
            Call::DeviceInfo => api::device_info(&self.about, None),
            Call::Reload => {
                self.effects.push(Effect::Reload { keep_route: self.keep_route });
                Value::Null
            }
            Call::Attach(_)
            | Call::Reset
            | Call::ReportFailure { .. }
            | Call::SetChannel(_)
            | Call::SetHold(_)
            | Call::Cancel => Value::Null,
        };
        self.resolve(id, answer);
    }

    pub(super) fn live_call(&mut self, id: CallId, call: Call, now: Now) {
        match call {
            Call::Attach(nonce) => {
                if self.pages.attach(&nonce) {
                    self.resolve(id, Value::Null);
                } else {
                    self.reject(id, &Error::StaleToken, Stage::Call);
                }
            }
            Call::Ready(nonce) => {
                if self.pages.is_current(nonce.as_ref()) {
                    self.ready(id, now);
                } else {
                    self.reject(id, &Error::StaleToken, Stage::Call);
                }
            }
            Call::ReportFailure { nonce, message } => {
                if self.pages.is_current(nonce.as_ref()) {
                    self.report_failure(id, message.as_deref());
                } else {
                    self.reject(id, &Error::StaleToken, Stage::Call);
                }
            }
            Call::Check => self.ask_for_check(id),
            Call::Sync(apply) => self.ask_for_sync(Some(id), apply.unwrap_or(self.apply)),
            Call::Apply if self.unseen || self.hold.is_some() || self.is_deciding() => {
                // Begun now, it would be a launch that nobody sees, and the first look the next one.
                if self.unseen {
                    self.pending = Some(Apply::Now);
                }
                self.resolve(id, json!({ "applying": false }));
            }
            Call::Apply => self.switch(Switch::Asked(id)),
            Call::Reload => {
                self.resolve(id, Value::Null);
                self.tell_before_reload();
                self.effects.push(Effect::Reload { keep_route: self.keep_route });
            }
            Call::Reset => self.switch(Switch::Reset(id)),
            Call::State => self.run(Job::Read(Asked::State(id))),
            Call::Channel => self.run(Job::Read(Asked::Channel(id))),
            Call::SetChannel(channel) => {
                // Whatever the old channel would bring is not wanted any more.
                self.cancel();
                self.run(Job::SetChannel(id, channel));
            }
            Call::SetHold(hold) => {
                self.hold = hold;
                self.resolve(id, Value::Null);
                if hold.is_none() {
                    self.take_up_pending();
                }
            }
            Call::DeviceInfo => self.run(Job::DeviceInfo(id, self.about.clone())),
            Call::Cancel => {
                self.cancel();
                self.resolve(id, Value::Null);
            }
        }
    }

    pub(super) fn report_failure(&mut self, call: CallId, message: Option<&str>) {
        let bundle = self.current();
        let message = message.unwrap_or("no message");
        self.log(format!("{} reports a failure: {message}", bundle.id));
        let on_trial =
            self.launch.as_ref().is_some_and(|launch| launch.token.is_some() && !launch.confirming);
        if on_trial {
            self.give_up(Reason::Reported, Some(call));
        } else {
            self.resolve(call, Value::Null);
        }
    }
}
