use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch as channel;

use super::*;
use crate::data::{Data, KeyPair};
use crate::dependency::Scope;
use crate::source::{Observed, Subscription};

/// A source whose values the test sets.
#[derive(Debug, Default)]
struct Values(Mutex<BTreeMap<Dependency, channel::Sender<Observed>>>);

impl Values {
    fn sender(&self, dependency: &Dependency) -> channel::Sender<Observed> {
        let mut senders = self.0.lock().unwrap();
        senders.entry(dependency.clone()).or_insert_with(|| channel::Sender::new(Observed::default())).clone()
    }

    fn key(&self, name: &str, value: Option<&str>) {
        let data = Data::Key(value.map(|value| value.as_bytes().to_vec()));
        self.sender(&key(name)).send_replace(Observed::data(data));
    }

    fn fail(&self, name: &str, error: SourceError) {
        self.sender(&key(name)).send_modify(|observed| observed.error = Some(error));
    }

    fn watchers(&self, name: &str) -> usize {
        self.sender(&key(name)).receiver_count()
    }
}

impl Source for Values {
    fn subscribe(&self, dependency: &Dependency) -> Subscription {
        self.sender(dependency).subscribe()
    }
}

fn key(name: &str) -> Dependency {
    Dependency::KvGet { key: name.to_owned(), scope: Scope::default() }
}

fn config(id: &str, text: &str) -> TemplateConfig {
    TemplateConfig { id: id.to_owned(), text: text.to_owned(), options: Options::default(), once: false, wait: None, previous: None }
}

fn start(values: &Arc<Values>, configs: Vec<TemplateConfig>) -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(16);
    let clock: Clock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
    let runner = TemplateRunner::new(configs, Environment::default(), values.clone(), clock).unwrap();
    // It ends with its receiver.
    tokio::spawn(runner.run(sender));
    receiver
}

fn texts(event: Option<Event>) -> (bool, Vec<String>) {
    match event {
        Some(Event::First(all)) => (true, all.iter().map(|one| String::from_utf8_lossy(&one.text).into_owned()).collect()),
        Some(Event::Changed(all)) => (false, all.iter().map(|one| String::from_utf8_lossy(&one.text).into_owned()).collect()),
        other => panic!("expected texts, got {other:?}"),
    }
}

/// Lets the runner finish all that it can do without time passing.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_every_template_then_tells_only_what_changed() {
    let values = Arc::new(Values::default());
    values.key("a", Some("1"));
    let mut events = start(&values, vec![config("one", r#"a={{key "a"}}"#), config("two", r#"b={{key "b"}}"#)]);
    let missing = events.recv().await;
    assert_eq!(missing, Some(Event::Missing { missing: BTreeSet::from([key("b")]), failures: Vec::new() }));
    values.key("b", Some("2"));
    assert_eq!(texts(events.recv().await), (true, vec!["a=1".into(), "b=2".into()]));
    values.key("b", Some("2"));
    values.key("a", Some("3"));
    assert_eq!(texts(events.recv().await), (false, vec!["a=3".into()]));
}

#[tokio::test(start_paused = true)]
async fn a_change_renders_without_delay_and_a_wait_delays_it() {
    let values = Arc::new(Values::default());
    values.key("a", Some("1"));
    let slow = TemplateConfig {
        wait: Some(Wait { min: Duration::from_secs(2), max: Duration::from_secs(6) }),
        ..config("slow", r#"{{key "a"}}"#)
    };
    let mut events = start(&values, vec![config("fast", r#"{{key "a"}}"#), slow]);
    let begin = Instant::now();
    texts(events.recv().await);
    assert_eq!(begin.elapsed(), Duration::ZERO, "a wait must not delay the first render");
    tokio::time::advance(Duration::from_secs(1)).await;
    values.key("a", Some("2"));
    let begin = Instant::now();
    assert_eq!(texts(events.recv().await), (false, vec!["2".into()]));
    assert!(begin.elapsed() < Duration::from_millis(5));
    assert_eq!(texts(events.recv().await), (false, vec!["2".into()]));
    assert!(begin.elapsed() >= Duration::from_secs(2) && begin.elapsed() < Duration::from_millis(2010));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_key_keeps_the_old_text_and_an_outage_only_warns() {
    let values = Arc::new(Values::default());
    values.key("a", Some("1"));
    let mut events = start(&values, vec![config("one", r#"{{key "a"}}"#)]);
    texts(events.recv().await);
    values.key("a", None);
    tokio::time::advance(Duration::from_secs(10)).await;
    settle().await;
    assert!(events.try_recv().is_err(), "a deleted key is no event");
    values.fail("a", SourceError::retried("connection refused"));
    let Some(Event::Warning(warning)) = events.recv().await else { panic!("a warning is due") };
    assert_eq!((warning.dependency, warning.text.as_str()), (key("a"), "connection refused"));
    values.fail("a", SourceError::retried("connection refused again"));
    values.key("a", Some("2"));
    assert_eq!(events.recv().await, Some(Event::Recovered(key("a"))));
    assert_eq!(texts(events.recv().await), (false, vec!["2".into()]));
}

#[tokio::test(start_paused = true)]
async fn another_cause_of_an_outage_is_told_and_the_same_one_only_now_and_then() {
    let values = Arc::new(Values::default());
    values.key("a", Some("1"));
    let mut events = start(&values, vec![config("one", r#"{{key "a"}}"#)]);
    texts(events.recv().await);
    let mut told = Vec::new();
    for cause in ["refused", "sealed", "refused", "sealed", "late", "closed", "fifth"] {
        values.fail("a", SourceError::retried(cause));
        settle().await;
        while let Ok(event) = events.try_recv() {
            let Event::Warning(warning) = event else { panic!("{event:?}") };
            told.push(warning.text);
        }
    }
    assert_eq!(told, ["refused", "sealed", "late", "closed"]);
    tokio::time::advance(WARNING_AGAIN).await;
    values.fail("a", SourceError::retried("refused"));
    let Some(Event::Warning(warning)) = events.recv().await else { panic!("it goes on") };
    assert_eq!(warning.text, "refused");
}

#[tokio::test(start_paused = true)]
async fn an_error_on_data_that_is_not_there_yet_waits_for_it() {
    let values = Arc::new(Values::default());
    let mut events = start(&values, vec![config("one", r#"{{index (key "list" | split ",") 1}}"#)]);
    let Some(Event::Missing { missing, failures }) = events.recv().await else { panic!("what is waited for is due") };
    assert_eq!((missing.len(), failures.len()), (1, 1));
    assert!(failures[0].text.contains("index out of range: 1") && failures[0].place == Some((1, Some(2))), "{failures:?}");
    values.key("list", Some("a"));
    let Some(Event::Failed { is_first: true, .. }) = events.recv().await else { panic!("with the data there it is an error") };
    values.key("list", Some("a,b"));
    assert_eq!(texts(events.recv().await), (true, vec!["b".into()]));
}

#[tokio::test(start_paused = true)]
async fn data_decide_what_is_watched() {
    let values = Arc::new(Values::default());
    values.key("which", Some("a"));
    values.key("a", Some("1"));
    values.key("b", Some("2"));
    let mut events = start(&values, vec![config("one", r#"{{key (key "which")}}"#)]);
    assert_eq!(texts(events.recv().await), (true, vec!["1".into()]));
    assert_eq!((values.watchers("a"), values.watchers("b")), (1, 0));
    values.key("which", Some("b"));
    assert_eq!(texts(events.recv().await), (false, vec!["2".into()]));
    settle().await;
    assert_eq!((values.watchers("a"), values.watchers("b")), (0, 1), "a watcher that nobody needs is left");
}

#[tokio::test(start_paused = true)]
async fn a_once_template_stays_and_a_runner_of_nothing_else_ends() {
    let values = Arc::new(Values::default());
    values.key("a", Some("1"));
    let once = TemplateConfig { once: true, ..config("once", r#"{{key "a"}}"#) };
    let mut events = start(&values, vec![once]);
    assert_eq!(texts(events.recv().await), (true, vec!["1".into()]));
    assert_eq!(events.recv().await, None);
    assert_eq!(values.watchers("a"), 0);
}

#[tokio::test(start_paused = true)]
async fn failures_name_the_template_and_later_ones_keep_the_text() {
    let values = Arc::new(Values::default());
    values.key("n", Some("1"));
    let mut events = start(&values, vec![config("one", r#"{{key "n" | parseInt}}"#)]);
    assert_eq!(texts(events.recv().await), (true, vec!["1".into()]));
    values.key("n", Some("x"));
    let Some(Event::Failed { id, error, is_first }) = events.recv().await else { panic!("a failure is due") };
    assert_eq!((id.as_str(), is_first), ("one", false));
    assert!(error.text.contains("error calling parseInt"), "{error}");
    values.key("n", Some("2"));
    assert_eq!(texts(events.recv().await), (false, vec!["2".into()]));
}

#[tokio::test(start_paused = true)]
async fn stops_when_nobody_listens() {
    let values = Arc::new(Values::default());
    let events = start(&values, vec![config("one", r#"{{key "a"}}"#)]);
    settle().await;
    assert_eq!(values.watchers("a"), 1);
    drop(events);
    settle().await;
    assert_eq!(values.watchers("a"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flag_file_of_a_listed_prefix() {
    let values = Arc::new(Values::default());
    let prefix = Dependency::KvList { prefix: "shop/flags".into(), scope: Scope::default() };
    let pair = |path: &str, value: &str| KeyPair { path: path.into(), value: value.into(), ..KeyPair::default() };
    let pairs = vec![pair("shop/flags/banner", "true"), pair("shop/flags/limit", "3"), pair("shop/flags/deep/x", "1")];
    values.sender(&prefix).send_replace(Observed::data(Data::Keys(pairs)));
    let text = r#"{ {{- range $i, $f := ls "shop/flags" }}{{ if $i }},{{ end }} "{{ $f.Key }}": {{ $f.Value }}{{ end }} }"#;
    let mut events = start(&values, vec![config("flags", text)]);
    assert_eq!(texts(events.recv().await), (true, vec![r#"{ "banner": true, "limit": 3 }"#.into()]));
}
