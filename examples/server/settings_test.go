package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

// The help lists each flag, with its environment variable if it is a setting.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-h", "-help", "--help"} {
		got := processtest.Run(t, t.TempDir(), nil, name).Succeeds(t)
		for _, g := range new(settings).groups() {
			flags := flag.NewFlagSet("", flag.ContinueOnError)
			g.flags(flags)
			flags.VisitAll(func(f *flag.Flag) {
				if !strings.Contains(got, "\n  -"+f.Name+" ") && !strings.Contains(got, "\n  -"+f.Name+"\n") {
					t.Errorf("%s: got\n%s\nwant the flag -%s", name, got, f.Name)
				}
				if has := strings.Contains(got, "("+variable(f.Name)+")"); has != g.env {
					t.Errorf("%s: variable %s: got %t, want %t", name, variable(f.Name), has, g.env)
				}
			})
		}
		for _, c := range commands {
			if !strings.Contains(got, c.name) {
				t.Errorf("%s: got\n%s\nwant the command %s", name, got, c.name)
			}
		}
	}
}

// A mistake in the arguments or settings is reported before the server listens, by the
// name of the flag or variable.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range []string{"text", "other"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("not a key\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ env, args, want string }{
		{"", "-listen :80", "flag provided but not defined: -listen"},
		{"", "serve", `unknown command "serve"`},
		{"", "user", `unknown command "user"`},
		{"", "user remove a@example.com", `unknown command "user remove"`},
		{"", "user add", "want EMAIL [NAME]"},
		{"", "user list a@example.com", "got 1 arguments, want none"},
		{"", "user add ada", "server: user add: email must be an email address"},
		{"", "-check -health", "choose one"},
		{"", "-backup b.db user list", "choose one"},
		{"", "-backup=", `invalid value "" for flag -backup: must be the name of a file`},
		{"", "-ttl 1h", "-ttl is only for token issue"},
		{"", "token issue a@example.com -ttl -1h", "-ttl: must not be negative"},
		{"", "-addr 8080", "-addr (PROMPTRAILS_ADDR): must be a host and a port"},
		{"PROMPTRAILS_ADDR=8080", "", "-addr (PROMPTRAILS_ADDR): must be a host and a port"},
		{"", "-rate fast", `invalid value "fast" for flag -rate`},
		{"PROMPTRAILS_RATE=fast", "", `PROMPTRAILS_RATE: invalid value "fast"`},
		{"", "-rate NaN", "-rate (PROMPTRAILS_RATE): must be a number"},
		{"", "-max-requests -1", "-max-requests (PROMPTRAILS_MAX_REQUESTS): must not be negative"},
		{"", "-tls-cert text", "-tls-cert (PROMPTRAILS_TLS_CERT) and -tls-key (PROMPTRAILS_TLS_KEY): set both"},
		{"", "-tls-cert text -tls-key other", "must be a certificate and its key in PEM format"},
		{"", "-master-key-file text", "-master-key-file (PROMPTRAILS_MASTER_KEY_FILE): the first line of text must be 64 hexadecimal digits"},
		{"", "-master-key-file none", "no such file"},
		{"", "-default-plan gold", `-default-plan (PROMPTRAILS_DEFAULT_PLAN): no plan "gold"`},
		{"", "-cors-origins example.com", "-cors-origins (PROMPTRAILS_CORS_ORIGINS): "},
		{"PROMPTRAILS_TRUSTED_PROXIES=10.0.0.1,proxy", "", `"proxy" is not a network`},
		{"", "-log-format xml", "-log-format (PROMPTRAILS_LOG_FORMAT): must be auto, text or json"},
		{"", "-log-level loud", "for flag -log-level"},
		{"", "-dsn mysql://u:pw@127.0.0.1/x", "-dsn (PROMPTRAILS_DSN): must be the name of a SQLite file, or a URL"},
		{"", "-dsn postgres://u:pw@127.0.0.1/x", "-master-key-file (PROMPTRAILS_MASTER_KEY_FILE): is required"},
		{"", "-dsn= user list", "-dsn (PROMPTRAILS_DSN): must name a database"},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			t.Parallel()
			var env []string
			if c.env != "" {
				env = []string{c.env}
			}
			got := processtest.Run(t, dir, env, strings.Fields(c.args)...)
			got.Fails(t, exitUsage, c.want)
			for _, bad := range []string{"Config.", "listening", "pw", "embedded:"} {
				if strings.Contains(got.Stderr, bad) {
					t.Errorf("stderr: got %q, want it without %q", got.Stderr, bad)
				}
			}
		})
	}
}

// A flag takes precedence over its variable, before and after the words of a command. An
// empty variable has no effect.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	processtest.Run(t, dir, nil, "user", "list").Fails(t, exitFailed, `there is no file "workspaces.db"`)
	processtest.Run(t, dir, []string{"PROMPTRAILS_DSN="}, "user", "list").Fails(t, exitFailed, `there is no file "workspaces.db"`)
	processtest.Run(t, dir, []string{"PROMPTRAILS_DSN=a.db"}, "user", "list").Fails(t, exitFailed, `there is no file "a.db"`)
	for _, args := range []string{"-dsn b.db user list", "user -dsn b.db list", "user list -dsn b.db"} {
		processtest.Run(t, dir, []string{"PROMPTRAILS_DSN=a.db"}, strings.Fields(args)...).Fails(t, exitFailed, `there is no file "b.db"`)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) > 0 {
		t.Errorf("files: got %v, %v, want none", files, err)
	}
}
