//! temp
fn main() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_env("CACHEPOT_LOG")).with_writer(std::io::stderr).init();
    let uid = cachepot_wire::fd::own_uid();
    let env = cachepot_config::Environment::of_process(uid);
    let loaded = cachepot_config::load(&env, std::path::Path::new("/")).unwrap();
    let pairs: Vec<_> = std::env::vars_os().collect();
    let block = cachepot_wire::EnvBlock::from_pairs(pairs.iter().map(|(a,b)|(a.as_os_str(),b.as_os_str())));
    let places = cachepot_wire::socket::places(&block, uid);
    cachepot_wire::socket::make_folder(&places.folder).unwrap();
    let _ = std::fs::remove_file(&places.socket);
    let listener = std::os::unix::net::UnixListener::bind(&places.socket).unwrap();
    cachepot_actors::run(cachepot_actors::Options{listener, scratch: places.scratch, loaded, environment: env, ready: Box::new(||eprintln!("ready"))}).unwrap();
}
