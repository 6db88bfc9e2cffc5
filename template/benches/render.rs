//! How long one pass takes: the flag file of a task, and an upstream block over many instances.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use drover_template::data::{HealthService, KeyPair};
use drover_template::{Compiled, Data, Dependency, Engine, Environment, GoTemplates, Options, Pass, Scope, View};

fn compiled(text: &str) -> Option<Arc<dyn Compiled>> {
    GoTemplates.compile(text, &Options::default()).ok()
}

fn measure(criterion: &mut Criterion, name: &str, text: &str, view: &View) {
    let environment = Environment::default();
    let Some(template) = compiled(text) else { return };
    criterion.bench_function(name, |bencher| {
        bencher
            .iter(|| template.render(black_box(&Pass { view, environment: &environment, now: jiff::Timestamp::UNIX_EPOCH, host: None })));
    });
}

fn flags(criterion: &mut Criterion) {
    let pair = |number: u32| KeyPair { path: format!("shop/flags/f{number:03}"), value: b"true".to_vec(), ..KeyPair::default() };
    let prefix = Dependency::KvList { prefix: "shop/flags".to_owned(), scope: Scope::default() };
    let view = View::from([(prefix, Arc::new(Data::Keys((0..20).map(pair).collect())))]);
    let text = r#"{ {{- range $i, $f := ls "shop/flags" }}{{ if $i }},{{ end }} "{{ $f.Key }}": {{ $f.Value }}{{ end }} }"#;
    measure(criterion, "20 flags", text, &view);
}

fn upstream(criterion: &mut Criterion) {
    let instance = |number: u32| HealthService {
        id: format!("web-{number}"),
        address: format!("10.0.{}.{}", number / 250, number % 250),
        port: 8080,
        tags: vec!["live".to_owned()],
        ..HealthService::default()
    };
    let web = Dependency::Service {
        name: "web".to_owned(),
        tag: None,
        filters: vec!["passing".to_owned()],
        scope: Scope::default(),
        connect: false,
    };
    let view = View::from([(web, Arc::new(Data::Service((0..1000).map(instance).collect())))]);
    let text = "upstream web {\n{{- range service \"web\" }}\n  server {{ .Address }}:{{ .Port }};\n{{- end }}\n}\n";
    measure(criterion, "1000 instances", text, &view);
}

criterion_group!(benches, flags, upstream);
criterion_main!(benches);
