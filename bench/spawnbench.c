/* Times whole commands from spawn to exit, in turn (A B C A B C ...), so that noise on the machine hits all of them alike.
 *
 *   cc -O2 -o spawnbench spawnbench.c
 *   spawnbench [OPTION]... --- NAME [VAR=VALUE]... COMMAND [ARG]... [--- NAME ...]...
 *
 *   -n RUNS            measured runs of each command (200)
 *   -w RUNS            runs before that which are not counted (10)
 *   -u FILE            is unlinked before each run, so that each run has to write it anew; may be repeated
 *   -q                 standard output and error of the commands go to /dev/null
 *   --base2 NAME       a second ratio, to the p50 of this command; the first ratio is to the first command
 *   --every NAME=K     command NAME takes part only in each K-th round (for what is slow); may be repeated
 *   --daemon NAME=PID  process PID works for command NAME: its CPU time is added to the command's
 *
 * VAR=VALUE words are added to the environment of that command only.
 * Columns are milliseconds: wall min, p50, p90, p99, max; CPU p50 of the command with the children it waited for; mean CPU of
 * its daemon per run (`-` without one); the sum of both; then how many runs failed, and the ratios of the wall p50.
 * What a daemon does after its client has gone counts for the run before, until the next run of a command of that daemon. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_COMMANDS = 16, MAX_UNLINKS = 16, MAX_OWN_VARIABLES = 32 };

struct daemon {
  pid_t pid;
  clockid_t clock;
  double last_reading;
  struct command *serves; /* whose run it has worked for since the last reading; NULL while warming up */
};

struct command {
  const char *name;
  char **argv, **envp;
  double *wall, *cpu; /* `measured` values each */
  int failed, every, measured; /* measured: how many values there are */
  struct daemon *daemon; /* NULL when it has none */
  double daemon_cpu;     /* sum over the measured runs */
};

static struct command commands[MAX_COMMANDS];
static struct daemon daemons[MAX_COMMANDS];
static int command_count, daemon_count, runs = 200, warmup = 10, quiet, unlink_count;
static const char *unlink_names[MAX_UNLINKS], *base2_name;

static void fail(const char *what, const char *which) {
  fprintf(stderr, "spawnbench: %s %s\n", what, which);
  exit(2);
}

static double clock_ms(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t)) return -1;
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double timeval_ms(struct timeval t) { return t.tv_sec * 1e3 + t.tv_usec / 1e3; }

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double wall_at(const struct command *c, double q) { return c->wall[(int)(q * (c->measured - 1) + 0.5)]; }

/* The environment of this process plus the VAR=VALUE words; an own word replaces an inherited one. */
static char **environment_with(char **words, int count) {
  int inherited = 0, n = 0;
  while (environ[inherited]) inherited++;
  char **envp = calloc(inherited + count + 1, sizeof *envp);
  for (int i = 0; i < inherited; i++) {
    int replaced = 0;
    size_t name = strcspn(environ[i], "=") + 1;
    for (int w = 0; w < count; w++) replaced |= !strncmp(environ[i], words[w], name);
    if (!replaced) envp[n++] = environ[i];
  }
  for (int w = 0; w < count; w++) envp[n++] = words[w];
  return envp;
}

/* Reads `NAME [VAR=VALUE]... COMMAND [ARG]...` up to the next `---` or the end. Returns the words used. */
static int read_command(char **word) {
  if (command_count == MAX_COMMANDS) fail("too many commands at", word[0] ? word[0] : "");
  struct command *c = &commands[command_count++];
  int i = 1, variables = 0;
  c->name = word[0];
  c->every = 1;
  while (word[i] && strchr(word[i], '=') && word[i][0] != '/' && variables < MAX_OWN_VARIABLES) i++, variables++;
  if (!word[0] || !word[i] || !strcmp(word[i], "---")) fail("no command after", word[0] ? word[0] : "---");
  c->envp = environment_with(&word[1], variables);
  c->argv = &word[i];
  c->wall = calloc(runs, sizeof(double));
  c->cpu = calloc(runs, sizeof(double));
  while (word[i] && strcmp(word[i], "---")) i++;
  return i;
}

static struct command *command_named(const char *name, size_t length) {
  for (int k = 0; k < command_count; k++)
    if (strlen(commands[k].name) == length && !strncmp(commands[k].name, name, length)) return &commands[k];
  fail("no command is called", name);
  return NULL;
}

static void set_every(const char *spec) {
  const char *equals = strchr(spec, '=');
  if (!equals || atoi(equals + 1) < 1) fail("--every takes NAME=K, not", spec);
  command_named(spec, equals - spec)->every = atoi(equals + 1);
}

static void attach_daemon(const char *spec) {
  const char *equals = strchr(spec, '=');
  if (!equals) fail("--daemon takes NAME=PID, not", spec);
  struct command *c = command_named(spec, equals - spec);
  pid_t pid = atoi(equals + 1);
  int d = 0;
  while (d < daemon_count && daemons[d].pid != pid) d++;
  if (d == daemon_count) daemon_count++;
  daemons[d].pid = pid;
  if (clock_getcpuclockid(pid, &daemons[d].clock)) fail("no such process:", equals + 1);
  c->daemon = &daemons[d];
}

/* Charges what the daemon used since the last reading to the run it was used for; from now on it works for `next`. */
static void read_daemon(struct daemon *d, struct command *next) {
  double now = clock_ms(d->clock);
  if (d->serves && now > d->last_reading) d->serves->daemon_cpu += now - d->last_reading;
  d->last_reading = now;
  d->serves = next;
}

static void run_once(struct command *c, int run, posix_spawn_file_actions_t *quietly) {
  for (int u = 0; u < unlink_count; u++) unlink(unlink_names[u]);
  if (c->daemon) read_daemon(c->daemon, run < 0 ? NULL : c);
  pid_t pid;
  int status;
  struct rusage use;
  double start = clock_ms(CLOCK_MONOTONIC);
  if (posix_spawnp(&pid, c->argv[0], quiet ? quietly : NULL, NULL, c->argv, c->envp)) fail("cannot start", c->argv[0]);
  wait4(pid, &status, 0, &use);
  double end = clock_ms(CLOCK_MONOTONIC);
  if (!WIFEXITED(status) || WEXITSTATUS(status)) c->failed++;
  if (run < 0) return;
  c->wall[c->measured] = end - start;
  c->cpu[c->measured++] = timeval_ms(use.ru_utime) + timeval_ms(use.ru_stime);
}

static void print_table(void) {
  for (int k = 0; k < command_count; k++) {
    qsort(commands[k].wall, commands[k].measured, sizeof(double), ascending);
    qsort(commands[k].cpu, commands[k].measured, sizeof(double), ascending);
  }
  double base = wall_at(&commands[0], .5);
  double base2 = base2_name ? wall_at(command_named(base2_name, strlen(base2_name)), .5) : 0;
  printf("%-16s %8s %8s %8s %8s %8s %8s %8s %8s %4s %9s", "ms", "min", "p50", "p90", "p99", "max", "cpu", "daemon", "both",
         "bad", commands[0].name);
  printf(base2_name ? " %9s\n" : "\n", base2_name);
  for (int k = 0; k < command_count; k++) {
    struct command *c = &commands[k];
    double p50 = wall_at(c, .5), cpu = c->cpu[c->measured / 2], daemon = c->daemon_cpu / c->measured;
    printf("%-16s %8.3f %8.3f %8.3f %8.3f %8.3f %8.3f ", c->name, c->wall[0], p50, wall_at(c, .9),
           wall_at(c, .99), wall_at(c, 1), cpu);
    if (c->daemon) printf("%8.3f ", daemon);
    else printf("%8s ", "-");
    printf("%8.3f %4d %9.4f", cpu + daemon, c->failed, p50 / base);
    if (base2_name) printf(" %9.4f", p50 / base2);
    printf("\n");
  }
}

int main(int argc, char **argv) {
  const char *attachments[MAX_COMMANDS], *rarities[MAX_COMMANDS];
  int attachment_count = 0, rarity_count = 0, i = 1;
  for (; i < argc && strcmp(argv[i], "---"); i++) {
    const char *option = argv[i];
    if (!strcmp(option, "-q")) { quiet = 1; continue; }
    if (++i == argc) fail("no value after", option);
    if (!strcmp(option, "-n")) runs = atoi(argv[i]);
    else if (!strcmp(option, "-w")) warmup = atoi(argv[i]);
    else if (!strcmp(option, "-u") && unlink_count < MAX_UNLINKS) unlink_names[unlink_count++] = argv[i];
    else if (!strcmp(option, "--base2")) base2_name = argv[i];
    else if (!strcmp(option, "--every") && rarity_count < MAX_COMMANDS) rarities[rarity_count++] = argv[i];
    else if (!strcmp(option, "--daemon") && attachment_count < MAX_COMMANDS) attachments[attachment_count++] = argv[i];
    else fail("unknown option", option);
  }
  if (runs < 1) fail("nothing to do:", "-n must be 1 or more");
  while (i < argc) {
    int words = read_command(&argv[i + 1]);
    i += 1 + words;
    argv[i] = NULL; /* the next `---` ends the command before it */
  }
  if (!command_count) fail("no command after", "---");
  for (int d = 0; d < attachment_count; d++) attach_daemon(attachments[d]);
  for (int e = 0; e < rarity_count; e++) set_every(rarities[e]);
  posix_spawn_file_actions_t quietly;
  posix_spawn_file_actions_init(&quietly);
  posix_spawn_file_actions_addopen(&quietly, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quietly, 2, "/dev/null", O_WRONLY, 0);
  for (int run = -warmup; run < runs; run++)
    for (int k = 0; k < command_count; k++)
      if (run % commands[k].every == 0) run_once(&commands[k], run, &quietly);
  for (int d = 0; d < daemon_count; d++) read_daemon(&daemons[d], NULL);
  print_table();
  return 0;
}
