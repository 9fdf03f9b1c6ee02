//! The native app around the bundle: platform, version, and which releases it can run.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits;

/// The platform and build of the installed native app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "platform", rename_all = "kebab-case", try_from = "Told")]
pub enum Native {
    /// Android, by `versionCode`.
    Android {
        /// `versionCode`.
        build: u64,
    },
    /// iOS, by `CFBundleVersion`: one to three integers with dots.
    Ios {
        /// `CFBundleVersion`.
        build: String,
    },
}

/// A [`Native`] as JSON tells it. What a build is depends on the platform; read by hand, since what serde
/// makes for that is several times as large.
#[derive(Deserialize)]
pub(crate) struct Told {
    pub(crate) platform: String,
    pub(crate) build: Value,
}

impl TryFrom<Told> for Native {
    type Error = &'static str;

    fn try_from(told: Told) -> Result<Self, Self::Error> {
        match (told.platform.as_str(), told.build) {
            ("android", build) => {
                let build = build.as_u64().ok_or("a versionCode is a number")?;
                Ok(Self::Android { build })
            }
            ("ios", Value::String(build)) => Ok(Self::Ios { build }),
            _ => Err("no native app that is known"),
        }
    }
}

/// The native builds a release can run on. A missing platform or end means no limit there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeRange {
    /// `versionCode`, both ends included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub android: Option<Range<u64>>,
    /// `CFBundleVersion`, both ends included, compared component by component as integers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ios: Option<Range<String>>,
}

/// A range with both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range<T> {
    /// Lowest build, or no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<T>,
    /// Highest build, or no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<T>,
}

impl NativeRange {
    /// Whether `native` lies inside. A build that is not made of integers lies nowhere but in
    /// ranges without limits.
    #[must_use]
    pub fn covers(&self, native: &Native) -> bool {
        match native {
            Native::Android { build } => self.android.as_ref().is_none_or(|range| {
                range.min.is_none_or(|min| *build >= min)
                    && range.max.is_none_or(|max| *build <= max)
            }),
            Native::Ios { build } => self.ios.as_ref().is_none_or(|range| {
                let side = |end: &Option<String>, wrong: Ordering| match end {
                    None => true,
                    Some(end) => compare_builds(build, end).is_some_and(|order| order != wrong),
                };
                side(&range.min, Ordering::Less) && side(&range.max, Ordering::Greater)
            }),
        }
    }

    /// Whether `native` is newer than all that lie inside.
    #[must_use]
    pub fn ends_before(&self, native: &Native) -> bool {
        match native {
            Native::Android { build } => {
                let max = self.android.as_ref().and_then(|range| range.max);
                max.is_some_and(|max| *build > max)
            }
            Native::Ios { build } => {
                let max = self.ios.as_ref().and_then(|range| range.max.as_deref());
                max.and_then(|max| compare_builds(build, max)) == Some(Ordering::Greater)
            }
        }
    }

    /// Whether every end is well-formed and no range is empty.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let android = self.android.as_ref().is_none_or(|range| match (range.min, range.max) {
            (Some(min), Some(max)) => min <= max,
            _ => true,
        });
        let ios = self.ios.as_ref().is_none_or(|range| {
            let min = range.min.as_deref().unwrap_or("0");
            let max = range.max.as_deref().unwrap_or(min);
            matches!(compare_builds(min, max), Some(Ordering::Less | Ordering::Equal))
        });
        android && ios
    }
}

/// Compares two `CFBundleVersion`s component by component as integers, a missing component being
/// 0; nothing if one of them is not made of integers.
#[must_use]
pub fn compare_builds(left: &str, right: &str) -> Option<Ordering> {
    let components = |text: &str| -> Option<Vec<u64>> {
        if text.len() > limits::TEXT {
            return None;
        }
        let number = |part: &str| {
            let digits = part.bytes().all(|b| b.is_ascii_digit());
            if digits { part.parse().ok() } else { None }
        };
        let mut parts: Vec<u64> = text.split('.').map(number).collect::<Option<_>>()?;
        while parts.last() == Some(&0) {
            parts.pop();
        }
        Some(parts)
    };
    Some(components(left)?.cmp(&components(right)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ios_builds_compare_as_numbers() {
        assert_eq!(compare_builds("1.10", "1.9"), Some(Ordering::Greater));
        assert_eq!(compare_builds("2", "2.0.0"), Some(Ordering::Equal));
        assert_eq!(compare_builds("1.2.3", "1.3"), Some(Ordering::Less));
        assert_eq!(compare_builds("1.2b", "1.3"), None);
        assert_eq!(compare_builds("", "1"), None);
        assert_eq!(compare_builds("+1", "1"), None);
    }

    #[test]
    fn ranges_include_their_ends() {
        let range = NativeRange {
            android: Some(Range { min: Some(10), max: Some(20) }),
            ios: Some(Range { min: Some("1.2".to_owned()), max: None }),
        };
        let android = |build| range.covers(&Native::Android { build });
        assert!(!android(9) && android(10) && android(20) && !android(21));
        let ios = |build: &str| range.covers(&Native::Ios { build: build.to_owned() });
        assert!(!ios("1.1.9") && ios("1.2") && ios("1.2.0") && ios("3") && !ios("beta"));
    }
}
