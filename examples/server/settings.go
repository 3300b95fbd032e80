package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// settings are the values of the flags.
type settings struct {
	addr, metricsAddr string
	tlsCert, tlsKey   string
	trustedProxies    []netip.Prefix
	corsOrigins       []string
	grace             time.Duration

	dsn, masterKeyFile, defaultPlan string
	loopbackWebhooks                bool

	maxRequests, maxWriters int
	maxResponseBytes        int64
	requestTime             time.Duration
	rate                    float64
	burst                   int

	logFormat string
	logLevel  slog.Level

	check, health bool
	backup        string
	ttl           time.Duration

	certificate *tls.Certificate // of tlsCert and tlsKey; nil: HTTP
	masterKey   []byte           // of masterKeyFile; nil: the key file of the database
}

// The formats of the log.
const (
	formatAuto = "auto"
	formatText = "text"
	formatJSON = "json"
)

// group is a group of flags.
type group struct {
	title string
	env   bool // the flags can be set by environment variables
	flags func(*flag.FlagSet)
}

func (s *settings) groups() []group {
	return []group{
		{"Network", true, func(f *flag.FlagSet) {
			f.StringVar(&s.addr, "addr", "127.0.0.1:8080", "listen on this `address`")
			f.StringVar(&s.metricsAddr, "metrics-addr", "", "serve /metrics on this `address` over HTTP, instead of at -addr. Anyone who can connect can read it: set this if -addr is public")
			f.StringVar(&s.tlsCert, "tls-cert", "", "serve HTTPS with the certificate chain in this `file`, in PEM format")
			f.StringVar(&s.tlsKey, "tls-key", "", "the `file` with the private key of the certificate")
			f.Func("trusted-proxies", "trust X-Forwarded-For from these `networks`, such as 10.0.0.0/8,192.0.2.1/32", func(text string) (err error) {
				s.trustedProxies, err = prefixes(text)
				return err
			})
			f.Func("cors-origins", "allow browsers to call the API only from these `origins`, such as https://app.example.com,https://*.example.com", func(text string) error {
				s.corsOrigins = list(text)
				return nil
			})
			f.DurationVar(&s.grace, "grace", 10*time.Second, "on SIGINT or SIGTERM, wait for this `duration` until running requests are finished; a second signal ends the program immediately")
		}},
		{"Data", true, func(f *flag.FlagSet) {
			f.StringVar(&s.dsn, "dsn", "workspaces.db", "the `database`: the name of a SQLite file, or a URL that begins with postgres://; -dsn '' for a database in memory")
			f.StringVar(&s.masterKeyFile, "master-key-file", "", "the `file` with the key that encrypts secrets, 64 hexadecimal digits, which openssl rand -hex 32 makes; required for PostgreSQL. The default for a SQLite file is its name with the suffix .key, which is created with the database")
			f.StringVar(&s.defaultPlan, "default-plan", string(promptrails.PlanStarter), "the `plan` of new workspaces")
			f.BoolVar(&s.loopbackWebhooks, "loopback-webhooks", false, "also deliver webhooks to loopback addresses over plain HTTP, for tests on this machine")
		}},
		{"Limits of this process; 0 is no limit", true, func(f *flag.FlagSet) {
			f.IntVar(&s.maxRequests, "max-requests", 8192, "the maximum `number` of requests that run at the same time")
			f.IntVar(&s.maxWriters, "max-writers", 4096, "the maximum `number` of changes that wait for the database")
			f.Int64Var(&s.maxResponseBytes, "max-response-bytes", 32<<20, "the maximum size of the responses in memory, in `bytes`")
			f.DurationVar(&s.requestTime, "request-time", 30*time.Second, "the maximum `duration` until a response begins")
			f.Float64Var(&s.rate, "rate", 0, "the `number` of requests per second of each API key and each user")
			f.IntVar(&s.burst, "burst", 0, "the `number` of these requests that can come at the same time; 0 is -rate, rounded up")
		}},
		{"Log, on stderr, with a line for each request of the API at level info", true, func(f *flag.FlagSet) {
			f.StringVar(&s.logFormat, "log-format", formatAuto, "the `format`: text, json, or auto, which is text on a terminal")
			f.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "the lowest `level`: debug, info, warn or error")
		}},
		{"Do this instead of serving; the server can be running meanwhile", false, func(f *flag.FlagSet) {
			f.BoolVar(&s.check, "check", false, "check the stored data, print the problems on stdout, and exit with 1 if there are any")
			f.Func("backup", "write a copy of the SQLite database to this `file`, which must not exist", func(name string) error {
				if name == "" {
					return errors.New("must be the name of a file") // an unset variable of a script must not start a server
				}
				s.backup = name
				return nil
			})
			f.BoolVar(&s.health, "health", false, "request /readyz of the server at -addr, and exit with 1 if it is not ready")
		}},
		{"For token issue", false, func(f *flag.FlagSet) {
			f.DurationVar(&s.ttl, "ttl", 0, "the token expires after this `duration`, such as 720h; 0 is never")
		}},
	}
}

// options are the names of fields in the errors of package embedded, and the flags that
// set them.
var options = map[string]string{
	"Config.DSN": "dsn", "Config.MasterKey": "master-key-file", "Config.DefaultPlan": "default-plan", "Config.CORSOrigins": "cors-origins", "Config.Limits.Rate": "rate",
}

// variable returns the name of the environment variable for a flag.
func variable(name string) string {
	return "PROMPTRAILS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// named returns a flag and its environment variable, as they are named in errors.
func named(name string) string { return "-" + name + " (" + variable(name) + ")" }

// usageError is an error in the arguments or settings.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// parse sets the settings by the environment and the arguments, and returns the function
// that carries them out. Flags can be before and after the words of a command.
func (p *program) parse(args []string, getenv func(string) string) (do func(context.Context) error, err error) {
	all := flag.NewFlagSet("server", flag.ContinueOnError)
	all.SetOutput(io.Discard)
	for _, g := range p.groups() {
		names := flag.NewFlagSet("", flag.ContinueOnError)
		g.flags(names)
		names.VisitAll(func(f *flag.Flag) {
			all.Var(f.Value, f.Name, f.Usage)
			if value := getenv(variable(f.Name)); g.env && value != "" && err == nil {
				if e := f.Value.Set(value); e != nil {
					err = usagef("%s: invalid value %q: %w", variable(f.Name), value, e)
				}
			}
		})
	}
	var words []string
	for rest := args; ; {
		if e := all.Parse(rest); errors.Is(e, flag.ErrHelp) {
			return nil, e
		} else if e != nil {
			return nil, usageError{e}
		}
		if all.NArg() == 0 {
			break
		}
		words, rest = append(words, all.Arg(0)), all.Args()[1:]
	}
	if err == nil {
		err = p.complete()
	}
	if err != nil {
		return nil, err
	}
	return p.command(words)
}

// complete checks the settings, and reads the files that they name.
func (s *settings) complete() (err error) {
	if _, _, err := net.SplitHostPort(s.addr); err != nil {
		return usagef("%s: must be a host and a port, such as 127.0.0.1:8080: %w", named("addr"), err)
	}
	if s.metricsAddr != "" {
		if _, _, err := net.SplitHostPort(s.metricsAddr); err != nil {
			return usagef("%s: must be a host and a port, such as 127.0.0.1:9464: %w", named("metrics-addr"), err)
		}
	}
	if (s.tlsCert == "") != (s.tlsKey == "") {
		return usagef("%s and %s: set both, or neither", named("tls-cert"), named("tls-key"))
	}
	if s.tlsCert != "" {
		pair, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
		if err != nil {
			return usagef("%s and %s: must be a certificate and its key in PEM format: %w", named("tls-cert"), named("tls-key"), err)
		}
		s.certificate = &pair
	}
	if s.masterKeyFile != "" {
		if s.masterKey, err = readKey(s.masterKeyFile); err != nil {
			return usagef("%s: %w", named("master-key-file"), err)
		}
	}
	if !slices.Contains([]string{formatAuto, formatText, formatJSON}, s.logFormat) {
		return usagef("%s: must be auto, text or json, not %q", named("log-format"), s.logFormat)
	}
	for name, isNegative := range map[string]bool{
		"grace": s.grace < 0, "max-requests": s.maxRequests < 0, "max-writers": s.maxWriters < 0, "max-response-bytes": s.maxResponseBytes < 0,
		"request-time": s.requestTime < 0, "rate": s.rate < 0, "burst": s.burst < 0,
	} {
		if isNegative {
			return usagef("%s: must not be negative", named(name))
		}
	}
	if s.ttl < 0 {
		return usagef("-ttl: must not be negative")
	}
	return nil
}

// readKey reads a master key. Like the key file of a database, the file has the key in
// its first line.
func readKey(name string) ([]byte, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the file named by the user
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	key, err := hex.DecodeString(strings.TrimSpace(line))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the first line of %s must be 64 hexadecimal digits, such as openssl rand -hex 32 prints", name)
	}
	return key, nil
}

// list splits a list that is separated by commas.
func list(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func prefixes(text string) (networks []netip.Prefix, err error) {
	for _, item := range list(text) {
		network, err := netip.ParsePrefix(item)
		if address, addressErr := netip.ParseAddr(item); addressErr == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8, and not an address", item)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// open opens the service with the settings and cfg. Its errors name flags instead of the fields of
// [embedded.Config].
func (p *program) open(ctx context.Context, cfg embedded.Config) (*embedded.Service, error) {
	cfg.DSN, cfg.MasterKey, cfg.DefaultPlan = p.dsn, p.masterKey, promptrails.PlanID(p.defaultPlan)
	cfg.TrustedProxies, cfg.CORSOrigins, cfg.AllowLoopbackWebhooks = p.trustedProxies, p.corsOrigins, p.loopbackWebhooks
	cfg.Limits = embedded.Limits{
		Requests: limit(p.maxRequests), Writers: limit(p.maxWriters), ResponseBytes: limit(p.maxResponseBytes), RequestTime: limit(p.requestTime),
		Rate: p.rate, Burst: p.burst,
	}
	service, err := embedded.Open(ctx, cfg)
	if err == nil {
		return service, nil
	}
	text := strings.TrimPrefix(err.Error(), "embedded: open: ")
	isSetting := strings.HasPrefix(text, "Config.")
	for option, name := range options {
		text = strings.ReplaceAll(text, option, named(name))
	}
	switch {
	case isSetting:
		return nil, usageError{errors.New(text)}
	case isServer(p.dsn): // its URL may contain a password
		return nil, fmt.Errorf("open the database of %s: %s", named("dsn"), text)
	default:
		return nil, fmt.Errorf("open %q of %s: %s", p.dsn, named("dsn"), text)
	}
}

func isServer(dsn string) bool { return strings.Contains(dsn, "://") }

// limit converts a limit to the form of [embedded.Limits], in which 0 is the default.
func limit[T int | int64 | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}
