//! Carries out the scaler's requests, and checks that none breaks a promise.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use aci_scaler::container_group::{GroupName, GroupSpec, Ownership};
use aci_scaler::services::{Accepted, ArmError, Refusal};

use crate::azure::{What, Write, is_large, transitioning};
use crate::groups::{Group, Life};
use crate::outside::MAX_CLOCK_ERROR;
use crate::scene::{MIN_START, Millis, SECOND, TagPolicy};
use crate::world::World;

/// How long the start of a group may keep failing, if Azure says that it fails.
const FAILING_START: Duration = Duration::from_mins(5);

/// By how much two clocks may differ.
pub const MAX_SKEW: Millis = 2 * SECOND;

impl World {
    /// Carries out a request.
    pub fn carry_out(&mut self, write: &Write, at: Millis) {
        let answer = match &write.what {
            What::Put(spec) => self.put(spec, write, at),
            What::Delete(name) => self.delete(name, write, at),
            What::Tag(name, tags) => self.tag(name, tags, write),
        };
        *write.answer.lock() = Some(answer);
    }

    /// Accepts a create or a delete, if there is budget for it, and returns how much is left.
    fn take(&mut self, at: Millis) -> Result<Option<u32>, ArmError> {
        while self.taken.front().is_some_and(|taken| taken + 300 * SECOND <= at) {
            self.taken.pop_front();
        }
        let Some(budget) = self.scene.budget else { return Ok(None) };
        if self.taken.len() >= budget {
            return Err(ArmError::Throttled { code: "TooManyRequests".into(), retry_after: Duration::from_mins(1) });
        }
        self.taken.push_back(at);
        Ok(Some(u32::try_from(budget - self.taken.len()).unwrap_or(u32::MAX)))
    }

    fn put(&mut self, spec: &GroupSpec, write: &Write, at: Millis) -> Result<Accepted, ArmError> {
        let remaining = self.take(at)?;
        if let Some(there) = self.groups.get(&spec.name) {
            if there.is_live() {
                let is_same = there.number() != crate::memory::number(spec) || crate::memory::is_as_asked(there, spec);
                if !is_same {
                    self.violated(format!("{} is requested in two ways", spec.name));
                }
                return Ok(Accepted { remaining, ownership: None });
            }
            // This may happen only to a request that was under way while another process created the same group.
            if there.creator == write.process.number || there.created_at < write.sent_at - 30 * SECOND {
                self.violated(format!("{} runs again", spec.name));
            }
        }
        if self.scene.quota.is_some_and(|quota| self.groups.len() >= quota) {
            return Err(ArmError::NoCapacity(Refusal::new("ContainerGroupQuotaReached", "")));
        }
        if self.scene.no_room && is_large(spec) {
            return Err(ArmError::NoRoomForSize(Refusal::new("ServiceUnavailable", "")));
        }
        if self.refuses(spec) {
            self.fires("create always refused");
            let refusal = Refusal { remaining, ..Refusal::new("RequestDisallowedByPolicy", "") };
            return Err(ArmError::Rejected(refusal));
        }
        let group = self.new_group(spec, write, at);
        let ownership = Some(group.ownership());
        self.tell(|| {
            format!("process {} creates {} for {:?}: {:?}", group.creator, group.name, group.tags, group.life)
        });
        self.check_only_one(&group);
        self.check_cap(&group, write);
        self.check_backoff(&group, write, at);
        self.check_vanished(&group, write, at);
        self.check_memory(&group, write);
        self.check_retry(&group);
        self.groups.insert(spec.name.clone(), group);
        Ok(Accepted { remaining, ownership })
    }

    /// Whether Azure always refuses this message's group.
    fn refuses(&self, spec: &GroupSpec) -> bool {
        let digits: u64 = spec.name.as_str().bytes().map(u64::from).sum();
        i64::try_from(digits * 7919 % 1000).is_ok_and(|share| share < self.scene.bad_creates)
    }

    fn new_group(&mut self, spec: &GroupSpec, write: &Write, at: Millis) -> Group {
        let unlucky = |world: &mut Self| world.faulty && world.random.chance(world.scene.bad_luck);
        let (never, fails) = (unlucky(self), unlucky(self));
        let start = at + self.random.within(MIN_START..90 * SECOND);
        let bad_image = self.faulty && self.random.chance(self.scene.bad_images);
        if bad_image {
            self.fires("image that cannot be pulled");
        }
        if self.scene.tag_policy.is_some() {
            self.fires("tags rewritten");
        }
        let asked: BTreeMap<_, _> = spec.tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        Group {
            name: spec.name.clone(),
            tags: self.scene.after_policy(asked.clone()),
            asked,
            bad_image,
            has_events: self.scene.has_events,
            life: Life::Pending { until: if never || bad_image { Millis::MAX } else { start }, fails },
            memory: crate::memory::tenths(spec.memory),
            created_at: at,
            creator: write.process.number,
            log_read: false,
            log_failures: 0,
            kept_since: None,
            retried_since: None,
            undated: unlucky(self),
            reuses_name: !self.names.insert(spec.name.clone()),
        }
    }

    /// Whether policies remove both of the scaler's tags, so that only the names of groups identify them.
    pub fn names_alone_tell(&self) -> bool {
        self.scene.tag_policy == Some(TagPolicy::Both)
    }

    fn check_only_one(&mut self, group: &Group) {
        // On a partitioned topic two reads may differ, so two processes may see different messages with the same id.
        let may_differ = self.topic.is_partitioned() && self.scene.processes > 1;
        let twin = |other: &&Group| {
            other.is_live()
                && other.name != group.name
                && other.is_for(group.subscription(), group.message_id())
                && (!may_differ || other.number() == group.number())
        };
        if let Some(twin) = self.groups.values().find(twin) {
            self.violated(format!("{} and {} are for the same message", twin.name, group.name));
        }
    }

    /// Every process keeps to the cap, as far as it could know the groups: it requested them itself, or they had existed for
    /// long enough when its pass began.
    fn check_cap(&mut self, group: &Group, write: &Write) {
        let process = &write.process;
        let known_since = process.pass_started_at.load(Relaxed) - self.scene.lag;
        let known = |other: &&Group| {
            other.is_managed()
                && other.is_live()
                && (other.creator == process.number || other.created_at <= known_since)
        };
        let live = self.groups.values().filter(known).filter(|other| other.name != group.name).count();
        if live >= process.settings.aci.max_instances as usize && write.sent_at >= process.pass_started_at.load(Relaxed)
        {
            self.violated(format!("{} exceeds the cap: {live} are active", group.name));
        }
    }

    /// Each attempt comes after a back-off, and none is forgotten.
    fn check_backoff(&mut self, group: &Group, write: &Write, at: Millis) {
        let place = (group.subscription().to_owned(), group.number());
        let Some(&(attempt, ended_at, may_be_lost)) = self.ended.get(&place) else { return };
        if may_be_lost || write.process.settings.processing.retry_backoff.is_zero() || write.sent_at <= ended_at {
            return;
        }
        // A name does not show which of several messages with one id it is for, so the attempts at all of them count.
        let is_known_by_name = self.names_alone_tell();
        let is_next = group.attempt() == attempt + 1 || is_known_by_name && group.attempt() > attempt;
        if !is_next {
            self.violated(format!("{} follows attempt {attempt}", group.name));
        }
        let count = attempt.saturating_sub(group.attempts_before());
        let due = ended_at + self.scene.backoff(count) - MAX_SKEW;
        if at < due {
            self.violated(format!("{} is created {} ms too early", group.name, due - at));
        }
        if group.count() > write.process.settings.processing.max_attempts.get() {
            self.violated(format!("{} is one attempt too many", group.name));
        }
    }

    /// A group that somebody else deleted counts as an attempt for every process that knew it.
    fn check_vanished(&mut self, group: &Group, write: &Write, at: Millis) {
        let Some(vanished) = self.vanished.remove(&(group.subscription().to_owned(), group.number())) else { return };
        let process = &write.process;
        let knew = process.known.lock().contains(&(vanished.name.clone(), vanished.created_at));
        if knew && process.pass_started_at.load(Relaxed) > vanished.at && at < vanished.due {
            let early = vanished.due - at;
            self.violated(format!(
                "{} is created {early} ms too early after {} was deleted",
                group.name, vanished.name
            ));
        }
    }

    fn delete(&mut self, name: &GroupName, write: &Write, at: Millis) -> Result<Accepted, ArmError> {
        let remaining = self.take(at)?;
        let Some(group) = self.groups.get(name).cloned() else { return Ok(Accepted { remaining, ownership: None }) };
        if at < group.created_at + MIN_START && group.is_live() {
            return Err(transitioning());
        }
        let looked_at = write.process.looks.lock().get(name).copied();
        self.tell(|| format!("process {} deletes {name} in {:?}", write.process.number, group.life));
        if !matches!(group.ownership(), Ownership::Tagged | Ownership::TaggedByEarlierVersion)
            || group.kept_since.is_some_and(|since| looked_at.is_none_or(|looked_at| since < looked_at))
        {
            self.violated(format!("{name} is deleted although it belongs to somebody else or is kept"));
        }
        if !group.log_read && group.log_failures < 3 {
            self.violated(format!("{name} is deleted before its log was read"));
        }
        if group.is_live() {
            self.check_live_delete(&group, write, at);
        } else {
            self.check_record_delete(&group, write, at);
        }
        self.unlock(&group);
        self.groups.remove(name);
        self.deleted.retain(|(deleted_at, _)| *deleted_at > at - 60 * SECOND);
        self.deleted.push_back((at, group));
        Ok(Accepted { remaining, ownership: None })
    }

    /// A group that has not ended is deleted only if it is stuck, overran or is an orphan.
    fn check_live_delete(&mut self, group: &Group, write: &Write, at: Millis) {
        let place = (group.subscription().to_owned(), group.number());
        let settings = &write.process.settings;
        let may_go = if let Life::Running { since, .. } = group.life {
            let overran = settings.aci.max_runtime.is_some_and(|limit| at - since >= at_least(limit));
            let grace = settings.processing.delete_orphans.then_some(settings.processing.orphan_grace);
            let gone_for = self.gone.get(&place).map(|gone| at - gone);
            overran || grace.zip(gone_for).is_some_and(|(grace, gone_for)| gone_for >= at_least(grace))
        } else {
            let starting_for = at - group.created_at;
            starting_for >= at_least(settings.aci.provisioning_timeout)
                || group.bad_image && starting_for >= at_least(FAILING_START)
        };
        // Without tags, only the process that created a group can tell it from an earlier one with its name.
        let is_taken_for_another = self.scene.refuses_tags && self.scene.processes > 1 && group.reuses_name;
        if !may_go && !is_taken_for_another {
            self.violated(format!("{} is deleted while it may still do its work", group.name));
        }
        let is_of_this_pass = write.sent_at >= write.process.pass_started_at.load(Relaxed);
        if is_of_this_pass && write.process.clock_error_listed.load(Relaxed).abs() > MAX_CLOCK_ERROR {
            self.violated(format!("{} is deleted because of its age by a clock that is wrong", group.name));
        }
        // Only this process remembers its count.
        self.ended.insert(place, (group.attempt(), at, true));
    }

    /// A record is deleted only if it is no longer needed, or there are too many.
    fn check_record_delete(&mut self, group: &Group, write: &Write, at: Millis) {
        let settings = &write.process.settings;
        let place = (group.subscription().to_owned(), group.number());
        if settings.processing.retry_backoff.is_zero() || self.waiting(&place.0, place.1).is_none() {
            // Another process may still see its message for a moment, because clocks differ.
            self.ended.entry(place).and_modify(|(_, _, may_be_lost)| *may_be_lost = true);
            return;
        }
        let succeeds = |other: &Group| {
            other.number() == group.number()
                && other.is_for(group.subscription(), group.message_id())
                && other.attempt() > group.attempt()
        };
        // Somebody else may have deleted the next attempt's group since the pass saw it.
        let since = write.process.pass_started_at.load(Relaxed);
        let just_cleaned_up =
            self.deleted.iter().filter(|(at, other)| *at >= since && self.cleaned_up.contains(&other.name));
        if self.groups.values().chain(just_cleaned_up.map(|(_, other)| other)).any(succeeds) {
            return;
        }
        let given_up = matches!(group.life, Life::Failed { at: failed_at }
            if at - failed_at >= at_least(settings.aci.provisioning_timeout));
        // The records that existed at some time since the pass began.
        let since = write.process.pass_started_at.load(Relaxed) - self.scene.lag;
        let just_deleted = self.deleted.iter().filter(|(at, _)| *at >= since).count();
        let records =
            self.groups.values().filter(|group| group.is_managed() && !group.is_live()).count() + just_deleted;
        // The cap may have been lowered meanwhile.
        let live = self.groups.values().filter(|group| group.is_managed() && group.is_live()).count();
        let all = records + live.max(settings.aci.max_instances as usize);
        let limit = settings.aci.max_instances + (settings.aci.max_instances / 4).max(8);
        if all <= limit as usize && !given_up {
            self.violated(format!("{} is deleted, the only record of attempt {}", group.name, group.attempt()));
        }
        self.ended.entry(place).and_modify(|(_, _, may_be_lost)| *may_be_lost = true);
    }

    fn tag(&mut self, name: &GroupName, tags: &BTreeMap<String, String>, write: &Write) -> Result<Accepted, ArmError> {
        if self.faulty && self.scene.refuses_tags {
            self.fires("tags refused");
            return Err(ArmError::Rejected(Refusal::new("RequestDisallowedByPolicy", "")));
        }
        let looked_at = write.process.looks.lock().get(name).copied();
        let Some(group) = self.groups.get_mut(name) else {
            return Err(ArmError::NotFound(Refusal::new("", "")));
        };
        let stays = |tags: &BTreeMap<String, String>| -> Vec<_> {
            tags.iter()
                .filter(|(key, _)| !key.ends_with("_since"))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        let since_then =
            |since: Option<Millis>| since.is_some_and(|since| looked_at.is_none_or(|looked_at| since >= looked_at));
        let raced = since_then(group.kept_since)
            || since_then(group.retried_since)
            || looked_at.is_none_or(|looked_at| group.created_at > looked_at);
        let lost = !raced && stays(&group.tags) != stays(tags);
        group.tags.clone_from(tags);
        if raced && group.kept_since.is_some() {
            group.tags.insert("keep".into(), "true".into());
        }
        if raced && group.retried_since.is_some() {
            group.tags.insert("retry".into(), "true".into());
        }
        self.tell(|| format!("process {} tags {name}: {tags:?}", write.process.number));
        if lost {
            self.violated(format!("{name} loses tags"));
        }
        Ok(Accepted::default())
    }
}

/// The least that a wait of this length may take when clocks differ.
fn at_least(wait: Duration) -> Millis {
    Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX) - MAX_SKEW
}
