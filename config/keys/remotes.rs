//! The rows of remotes. A table `cache.X` of the file is one remote.

use super::{Fallback, Key, Kind, Malformed, Reader};

/// Makes the row of a remote: `cache.<name>`, read when the coordinator starts.
const fn row(file_name: &'static str, variable: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { doc, ..super::row(Some(file_name), variable, kind, Reader::Coordinator) }
}

/// The mode of a remote.
const fn mode(file_name: &'static str, variable: &'static str) -> Key {
    let doc = "What is done there: `READ_WRITE`, `READ_ONLY` or `WRITE_ONLY`.";
    Key { default: Fallback::Text("READ_WRITE"), ..row(file_name, variable, Kind::Mode, doc) }
}

const PREFIX: &str = "What the names of all objects begin with.";
const EXPIRATION: &str = "How long the server is to keep a value; 0 leaves it to the server.";

/// `cache.chain`.
pub static CHAIN: Key = Key {
    other_variables: &["CACHEPOT_MULTILEVEL_CHAIN"],
    ..row(
        "cache.chain",
        "CACHEPOT_CHAIN",
        Kind::Text,
        "Remotes in the order in which they are asked, as in `redis,s3`; those that are not named are not used.",
    )
};
/// `cache.ca_file`.
pub static CA_FILE: Key = row(
    "cache.ca_file",
    "CACHEPOT_CA_FILE",
    Kind::Path,
    "Certificates (PEM) that remotes may be signed by, beside those of the system.",
);

/// `cache.sign_key_file`.
pub static SIGN_KEY_FILE: Key = row(
    "cache.sign_key_file",
    "CACHEPOT_SIGN_KEY_FILE",
    Kind::Path,
    "File with a key of `--generate-keys`: what is written to remotes is signed with it, and only signed results are believed.",
);
/// `cache.trusted_keys`.
pub static TRUSTED_KEYS: Key = row(
    "cache.trusted_keys",
    "CACHEPOT_TRUSTED_KEYS",
    Kind::Text,
    "Public keys, or files with one, separated by spaces: only results that are signed with one of them are believed.",
);
/// `cache.encryption_key_file`.
pub static ENCRYPTION_KEY_FILE: Key = row(
    "cache.encryption_key_file",
    "CACHEPOT_ENCRYPTION_KEY_FILE",
    Kind::Path,
    "File with a key of `--generate-keys`: what is written to remotes is encrypted with it, and nothing else is read.",
);

/// `cache.folder.dir`.
pub static FOLDER_DIR: Key = row(
    "cache.folder.dir",
    "CACHEPOT_FOLDER",
    Kind::Path,
    "Folder that several machines share, such as one of NFS.",
);
/// `cache.folder.rw_mode`.
pub static FOLDER_MODE: Key = mode("cache.folder.rw_mode", "CACHEPOT_FOLDER_RW_MODE");

/// `cache.redis.url`.
pub static REDIS_URL: Key = Key {
    other_file_names: &["cache.redis.endpoint"],
    other_variables: &["CACHEPOT_REDIS_ENDPOINT"],
    ..row(
        "cache.redis.url",
        "CACHEPOT_REDIS",
        Kind::SecretUrl,
        "Redis server: `host[:port]`, `redis://[user][:password]@host[:port][/db]`, `rediss://` for TLS, `unix:///path`.",
    )
};
/// `cache.redis.cluster_endpoints`.
pub static REDIS_CLUSTER_ENDPOINTS: Key = row(
    "cache.redis.cluster_endpoints",
    "CACHEPOT_REDIS_CLUSTER_ENDPOINTS",
    Kind::SecretUrl,
    "Instead of the URL: nodes of a Redis Cluster, separated by commas, each in a form of the URL.",
);
/// `cache.redis.username`.
pub static REDIS_USERNAME: Key =
    row("cache.redis.username", "CACHEPOT_REDIS_USERNAME", Kind::Text, "User, where the URL names none.");
/// `cache.redis.password`.
pub static REDIS_PASSWORD: Key =
    row("cache.redis.password", "CACHEPOT_REDIS_PASSWORD", Kind::Secret, "Password, where the URL has none.");
/// `cache.redis.db`.
pub static REDIS_DB: Key = row(
    "cache.redis.db",
    "CACHEPOT_REDIS_DB",
    Kind::Number,
    "Number of the database, where the URL names none.",
);
/// `cache.redis.key_prefix`.
pub static REDIS_KEY_PREFIX: Key =
    row("cache.redis.key_prefix", "CACHEPOT_REDIS_KEY_PREFIX", Kind::Text, PREFIX);
/// `cache.redis.expiration`.
pub static REDIS_EXPIRATION: Key = Key {
    other_file_names: &["cache.redis.ttl"],
    other_variables: &["CACHEPOT_REDIS_TTL"],
    default: Fallback::Text("0"),
    ..row("cache.redis.expiration", "CACHEPOT_REDIS_EXPIRATION", Kind::Duration, EXPIRATION)
};
/// `cache.redis.cluster`.
pub static REDIS_CLUSTER: Key = row(
    "cache.redis.cluster",
    "CACHEPOT_REDIS_CLUSTER",
    Kind::Flag,
    "The server is a node of a Redis Cluster.",
);
/// `cache.redis.rw_mode`.
pub static REDIS_MODE: Key = mode("cache.redis.rw_mode", "CACHEPOT_REDIS_RW_MODE");

/// `cache.memcached.url`.
pub static MEMCACHED_URL: Key = Key {
    other_file_names: &["cache.memcached.endpoint"],
    other_variables: &["CACHEPOT_MEMCACHED_ENDPOINT"],
    ..row(
        "cache.memcached.url",
        "CACHEPOT_MEMCACHED",
        Kind::SecretUrl,
        "Memcached servers, separated by spaces: `tcp://host:port`, `unix:///path`.",
    )
};
/// `cache.memcached.key_prefix`.
pub static MEMCACHED_KEY_PREFIX: Key =
    row("cache.memcached.key_prefix", "CACHEPOT_MEMCACHED_KEY_PREFIX", Kind::Text, PREFIX);
/// `cache.memcached.expiration`.
pub static MEMCACHED_EXPIRATION: Key = Key {
    default: Fallback::Text("0"),
    ..row("cache.memcached.expiration", "CACHEPOT_MEMCACHED_EXPIRATION", Kind::Duration, EXPIRATION)
};
/// `cache.memcached.username`.
pub static MEMCACHED_USERNAME: Key = row(
    "cache.memcached.username",
    "CACHEPOT_MEMCACHED_USERNAME",
    Kind::Text,
    "User, where the servers ask for one.",
);
/// `cache.memcached.password`.
pub static MEMCACHED_PASSWORD: Key =
    row("cache.memcached.password", "CACHEPOT_MEMCACHED_PASSWORD", Kind::Secret, "Password of this user.");
/// `cache.memcached.rw_mode`.
pub static MEMCACHED_MODE: Key = mode("cache.memcached.rw_mode", "CACHEPOT_MEMCACHED_RW_MODE");

/// `cache.s3.bucket`.
pub static S3_BUCKET: Key = row("cache.s3.bucket", "CACHEPOT_BUCKET", Kind::Text, "Bucket of S3.");
/// `cache.s3.endpoint`.
pub static S3_ENDPOINT: Key = row(
    "cache.s3.endpoint",
    "CACHEPOT_ENDPOINT",
    Kind::SecretUrl,
    "Server that speaks S3, `host[:port]` or a URL; unset is Amazon's.",
);
/// `cache.s3.region`.
pub static S3_REGION: Key = row(
    "cache.s3.region",
    "CACHEPOT_REGION",
    Kind::Text,
    "Region; unset is `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's, `us-east-1`.",
);
/// `cache.s3.key_prefix`.
pub static S3_KEY_PREFIX: Key = row("cache.s3.key_prefix", "CACHEPOT_S3_KEY_PREFIX", Kind::Text, PREFIX);
/// `cache.s3.use_ssl`.
pub static S3_USE_SSL: Key = row(
    "cache.s3.use_ssl",
    "CACHEPOT_S3_USE_SSL",
    Kind::Flag,
    "Speak TLS with an endpoint that names no scheme.",
);
/// `cache.s3.enable_virtual_host_style`.
pub static S3_VIRTUAL_HOST: Key = row(
    "cache.s3.enable_virtual_host_style",
    "CACHEPOT_S3_ENABLE_VIRTUAL_HOST_STYLE",
    Kind::Flag,
    "The bucket is part of the endpoint's host name, not of the path.",
);
/// `cache.s3.public`.
pub static S3_PUBLIC: Key = Key {
    other_file_names: &["cache.s3.no_credentials"],
    other_variables: &["CACHEPOT_S3_NO_CREDENTIALS"],
    fallback_variable: Some("SCCACHE_S3_PUBLIC"),
    ..row(
        "cache.s3.public",
        "CACHEPOT_S3_PUBLIC",
        Kind::Flag,
        "Send requests without signature, for buckets that everybody may read.",
    )
};
/// `cache.s3.server_side_encryption`.
pub static S3_ENCRYPTION: Key = row(
    "cache.s3.server_side_encryption",
    "CACHEPOT_S3_SERVER_SIDE_ENCRYPTION",
    Kind::Flag,
    "Ask the server to encrypt what it stores (AES256).",
);
/// `cache.s3.rw_mode`.
pub static S3_MODE: Key = mode("cache.s3.rw_mode", "CACHEPOT_S3_RW_MODE");

/// `cache.gcs.bucket`.
pub static GCS_BUCKET: Key =
    row("cache.gcs.bucket", "CACHEPOT_GCS_BUCKET", Kind::Text, "Bucket of Google Cloud Storage.");
/// `cache.gcs.key_prefix`.
pub static GCS_KEY_PREFIX: Key = row("cache.gcs.key_prefix", "CACHEPOT_GCS_KEY_PREFIX", Kind::Text, PREFIX);
/// `cache.gcs.cred_path`.
pub static GCS_CRED_PATH: Key = row(
    "cache.gcs.cred_path",
    "CACHEPOT_GCS_KEY_PATH",
    Kind::Path,
    "JSON file with the key of a service account; it wins over the URL.",
);
/// `cache.gcs.url`.
pub static GCS_URL: Key = Key {
    other_file_names: &["cache.gcs.credential_url", "cache.gcs.oauth_url"],
    other_variables: &["CACHEPOT_GCS_OAUTH_URL"],
    ..row("cache.gcs.url", "CACHEPOT_GCS_CREDENTIALS_URL", Kind::SecretUrl, "URL that answers with a token.")
};
/// `cache.gcs.service_account`.
pub static GCS_SERVICE_ACCOUNT: Key = row(
    "cache.gcs.service_account",
    "CACHEPOT_GCS_SERVICE_ACCOUNT",
    Kind::Text,
    "Without key file and URL: account whose tokens a machine of Google's cloud is given, as in `default`.",
);
/// `cache.gcs.endpoint`.
pub static GCS_ENDPOINT: Key = row(
    "cache.gcs.endpoint",
    "CACHEPOT_GCS_ENDPOINT",
    Kind::SecretUrl,
    "Server that speaks the protocol of GCS; unset is Google's.",
);
/// `cache.gcs.rw_mode`.
pub static GCS_MODE: Key = Key {
    default: Fallback::Text("READ_ONLY"),
    malformed: Malformed::Warn,
    ..mode("cache.gcs.rw_mode", "CACHEPOT_GCS_RW_MODE")
};

/// `cache.azure.connection_string`.
pub static AZURE_CONNECTION_STRING: Key = row(
    "cache.azure.connection_string",
    "CACHEPOT_AZURE_CONNECTION_STRING",
    Kind::Secret,
    "Connection string of a storage account.",
);
/// `cache.azure.container`.
pub static AZURE_CONTAINER: Key = row(
    "cache.azure.container",
    "CACHEPOT_AZURE_BLOB_CONTAINER",
    Kind::Text,
    "Blob container; it must be there.",
);
/// `cache.azure.key_prefix`.
pub static AZURE_KEY_PREFIX: Key =
    row("cache.azure.key_prefix", "CACHEPOT_AZURE_KEY_PREFIX", Kind::Text, PREFIX);
/// `cache.azure.rw_mode`.
pub static AZURE_MODE: Key = mode("cache.azure.rw_mode", "CACHEPOT_AZURE_RW_MODE");

/// `cache.webdav.endpoint`.
pub static WEBDAV_ENDPOINT: Key = row(
    "cache.webdav.endpoint",
    "CACHEPOT_WEBDAV_ENDPOINT",
    Kind::SecretUrl,
    "Address of a folder on a server that speaks WebDAV, or plain HTTP with GET and PUT.",
);
/// `cache.webdav.key_prefix`.
pub static WEBDAV_KEY_PREFIX: Key =
    row("cache.webdav.key_prefix", "CACHEPOT_WEBDAV_KEY_PREFIX", Kind::Text, PREFIX);
/// `cache.webdav.username`.
pub static WEBDAV_USERNAME: Key = row(
    "cache.webdav.username",
    "CACHEPOT_WEBDAV_USERNAME",
    Kind::Text,
    "User, where the server asks for one.",
);
/// `cache.webdav.password`.
pub static WEBDAV_PASSWORD: Key =
    row("cache.webdav.password", "CACHEPOT_WEBDAV_PASSWORD", Kind::Secret, "Password of this user.");
/// `cache.webdav.token`.
pub static WEBDAV_TOKEN: Key =
    row("cache.webdav.token", "CACHEPOT_WEBDAV_TOKEN", Kind::Secret, "Bearer token, instead of a user.");
/// `cache.webdav.rw_mode`.
pub static WEBDAV_MODE: Key = mode("cache.webdav.rw_mode", "CACHEPOT_WEBDAV_RW_MODE");
