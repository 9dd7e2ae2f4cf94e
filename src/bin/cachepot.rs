//! The client.
fn main() {
    std::process::exit(cachepot_client::main());
}
