//! The control API, over HTTP as tools and the page use it.

mod actions;
mod faults;
mod source;
mod support;
