//! A bar on stderr while something takes long. Not there when stderr is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Runs `work`, which tells how much is done and how much there is, beside a bar.
pub(crate) fn with_bar<T>(label: &str, work: impl FnOnce(tollway_benches::Progress<'_>) -> T) -> T {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{prefix:>24} {bar:32} {percent:>3} %  {eta}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.set_prefix(label.to_owned());
    let result = work(&|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    result
}
