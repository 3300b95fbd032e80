package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// command administers the database, whether the server is running or not.
type command struct {
	name, args, about string
	min, max          int // arguments
	run               func(p *program, ctx context.Context, service *embedded.Service, args []string) error
}

var commands = []command{
	{"user add", "EMAIL [NAME]", "create a user, and print an access token that does not expire", 1, 2, (*program).addUser},
	{"user list", "", "print the id, address and name of each user", 0, 0, (*program).listUsers},
	{"token issue", "EMAIL", "print another access token of a user", 1, 1, (*program).issueToken},
	{"token list", "EMAIL", "print the id, creation and expiry of each token of a user", 1, 1, (*program).listTokens},
	{"token revoke", "ID", "revoke a token by the id that token list prints", 1, 1, (*program).revokeToken},
}

// command returns the function for the words of a command line. Without words it is that
// of a flag, or serves.
func (p *program) command(words []string) (func(context.Context) error, error) {
	name := strings.Join(words[:min(2, len(words))], " ")
	switch n := count(p.check, p.backup != "", p.health, len(words) > 0); {
	case n > 1:
		return nil, usagef("choose one of -check, -backup, -health and a command")
	case p.ttl != 0 && name != "token issue":
		return nil, usagef("-ttl is only for token issue")
	case p.check:
		return p.checkData, nil
	case p.backup != "":
		return p.backUp, nil
	case p.health:
		return p.checkHealth, nil
	case n == 0:
		return p.serve, nil
	}
	for _, c := range commands {
		if c.name != name {
			continue
		}
		args := words[2:]
		if len(args) < c.min || len(args) > c.max {
			return nil, usagef("%s: got %d arguments, want %s", name, len(args), cmp.Or(c.args, "none"))
		}
		return func(ctx context.Context) error {
			return p.with(ctx, name == "user add", func(service *embedded.Service) error { return c.run(p, ctx, service, args) })
		}, nil
	}
	return nil, usagef("unknown command %q", name)
}

func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// with calls f with the service of the database. It does not create a database, unless
// create is set.
func (p *program) with(ctx context.Context, create bool, f func(*embedded.Service) error) (err error) {
	if p.dsn == "" {
		return usagef("%s: must name a database; one in memory is lost when the server stops", named("dsn"))
	}
	if _, err := os.Stat(p.dsn); errors.Is(err, fs.ErrNotExist) && !isServer(p.dsn) && !create {
		return fmt.Errorf("%s: there is no file %q", named("dsn"), p.dsn)
	}
	service, err := p.open(ctx, embedded.Config{
		Logger:       newLogger(p.logFormat, max(p.logLevel, slog.LevelWarn), p.stderr), // without the information of each start
		NoBackground: true,                                                              // a backup that is checked sends no notifications
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	return f(service)
}

func (p *program) addUser(ctx context.Context, service *embedded.Service, args []string) error {
	name := ""
	if len(args) > 1 {
		name = args[1]
	}
	user, err := service.CreateUser(ctx, args[0], name)
	if errors.Is(err, promptrails.ErrConflict) {
		return fmt.Errorf("there is a user %s; to print another token, run: server token issue %[1]s", args[0])
	}
	if invalid, ok := errors.AsType[*promptrails.ValidationError](err); ok {
		return usagef("user add: %s", strings.TrimPrefix(invalid.Error(), "promptrails: "))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, user.AccessToken.Reveal())
	return err
}

func (p *program) listUsers(ctx context.Context, service *embedded.Service, _ []string) error {
	return p.table([]string{"ID", "EMAIL", "NAME"}, func(row func(...string)) error {
		for user, err := range service.Users(ctx) {
			if err != nil {
				return err
			}
			row(user.ID, user.Email, user.Name)
		}
		return nil
	})
}

func (p *program) issueToken(ctx context.Context, service *embedded.Service, args []string) error {
	user, err := userByEmail(ctx, service, args[0])
	if err != nil {
		return err
	}
	token, err := service.IssueAccessToken(ctx, user.ID, p.ttl)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, token.Token.Reveal())
	return err
}

func (p *program) listTokens(ctx context.Context, service *embedded.Service, args []string) error {
	user, err := userByEmail(ctx, service, args[0])
	if err != nil {
		return err
	}
	tokens, err := service.AccessTokens(ctx, user.ID)
	if err != nil {
		return err
	}
	return p.table([]string{"ID", "CREATED", "EXPIRES"}, func(row func(...string)) error {
		for _, t := range tokens {
			expires := "never"
			if !t.ExpiresAt.IsZero() {
				expires = t.ExpiresAt.Format(time.RFC3339)
			}
			row(t.ID, t.CreatedAt.Format(time.RFC3339), expires)
		}
		return nil
	})
}

func (p *program) revokeToken(ctx context.Context, service *embedded.Service, args []string) error {
	err := service.RevokeAccessToken(ctx, args[0])
	if errors.Is(err, promptrails.ErrNotFound) {
		return fmt.Errorf("there is no token with the id %q; server token list EMAIL prints the ids", args[0])
	}
	return err
}

func userByEmail(ctx context.Context, service *embedded.Service, email string) (*embedded.User, error) {
	user, err := service.UserByEmail(ctx, email)
	if errors.Is(err, promptrails.ErrNotFound) {
		return nil, fmt.Errorf("there is no user %q; server user list prints all", email)
	}
	return user, err
}

// table prints rows: in columns under a header on a terminal, and otherwise only the
// rows, with tabs between the fields.
func (p *program) table(header []string, rows func(row func(fields ...string)) error) error {
	if !isTerminal(p.stdout) {
		return rows(func(fields ...string) { _, _ = fmt.Fprintln(p.stdout, line(fields)) })
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, line(header))
	err := rows(func(fields ...string) { _, _ = fmt.Fprintln(w, line(fields)) })
	return errors.Join(err, w.Flush())
}

// line joins fields by tabs. It escapes control characters, so that a name cannot add
// fields or send control sequences to a terminal.
func line(fields []string) string {
	escaped := make([]string, len(fields))
	for i, f := range fields {
		quoted := strconv.QuoteToGraphic(f)
		escaped[i] = quoted[1 : len(quoted)-1]
	}
	return strings.Join(escaped, "\t")
}
