package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The server stores the last use of a key to the minute.
const (
	pollKey  = 15 * time.Second
	minQuiet = 2 * time.Minute
)

// rotation replaces an API key without a failed request: a new key with the same settings
// is handed over to a command, verified, and then the old key is watched until it is no
// longer used.
type rotation struct {
	app            *app
	client         *promptrails.Client
	overlap, quiet time.Duration
	handOver       []string // the command; it reads the key from stdin
	out            *output  // without a command
}

func (a *app) rotateKey() *cobra.Command {
	r := &rotation{app: a}
	var file string
	cmd := a.command("rotate KEY [-- COMMAND...]", "Replace an API key without an interruption", func(ctx context.Context, c *promptrails.Client, args []string) error {
		r.client, r.handOver = c, args[1:]
		key, err := c.APIKeys.Get(ctx, args[0])
		if err != nil {
			return err
		}
		if err := a.replaceable(ctx, c, key); err != nil {
			return err
		}
		if r.out, err = a.newOutput(file); err != nil {
			return err
		}
		return a.change("replace "+describeKey(key), func() error { return r.run(ctx, key) })
	})
	cmd.Long = `Rotate replaces an API key without an interruption:

1. It creates a key with the same settings.
2. It hands the new key over: to the stdin of COMMAND, to --out, or to stdout.
3. It verifies the new key. If a step fails until here, it revokes the new key, and the
   old one remains as it was.
4. It sets the old key to expire after --overlap, and waits until that key has not been
   used for --quiet.
5. It revokes the old key.

If the old key is still in use after --overlap, the command fails. Ctrl-C ends the wait
earlier. In both cases the new key remains, and the old one expires after --overlap.`
	cmd.Example = "  admin keys rotate 3MV… --overlap 24h -- vault kv put secret/worker key=-"
	cmd.Flags().DurationVar(&r.overlap, "overlap", 24*time.Hour, "the old key remains valid for this `duration`")
	cmd.Flags().DurationVar(&r.quiet, "quiet", 10*time.Minute, "the old key is unused after this `duration` without a request")
	secretFlag(cmd, &file, "new key")
	validate(cmd, func() error {
		switch {
		case r.overlap <= 0 || r.quiet < minQuiet:
			return usagef("--overlap must be positive, and --quiet at least %s", minQuiet)
		case r.overlap <= r.quiet:
			return usagef("--overlap %s must be longer than --quiet %s, for which the old key is watched", r.overlap, r.quiet)
		case cmd.ArgsLenAtDash() >= 0 && file != "":
			return usagef("--out and a command: set one of them")
		}
		return nil
	})
	return a.objects(cmd, keySuggestions)
}

// replaceable returns an error for a key that cannot be replaced, before anything is made.
func (a *app) replaceable(ctx context.Context, c *promptrails.Client, key *promptrails.APIKey) error {
	if key.Status != promptrails.APIKeyActive {
		return fmt.Errorf("%s is %s: only an active key can be replaced. admin keys create makes another one", describeKey(key), key.Status)
	}
	if !a.hasKey() {
		return nil
	}
	own, err := c.APIKeys.Current(ctx)
	if err == nil && own.ID == key.ID {
		err = usagef("this command itself uses %s, and would wait for its own requests: use another key or an access token", describeKey(key))
	}
	return err
}

func (r *rotation) run(ctx context.Context, old *promptrails.APIKey) error {
	// An interrupted request could leave a key that is not known here.
	fresh, err := r.client.APIKeys.Create(context.WithoutCancel(ctx), &promptrails.CreateAPIKeyParams{
		Name: old.Name, Scopes: old.Scopes, AllowedIPs: old.AllowedIPs, AllowedOrigins: old.AllowedOrigins, ExpiresAt: r.expiry(old),
	})
	if err != nil {
		r.out.discard()
		return err
	}
	r.say("created %s…%s (%s), which expires: %s", fresh.Prefix, fresh.Last4, fresh.ID, moment(fresh.ExpiresAt))
	if err := r.introduce(ctx, fresh); err != nil {
		return errors.Join(err, r.rollBack(ctx, fresh))
	}
	if err := r.retire(ctx, old); err != nil {
		return fmt.Errorf("%w. The new key %s remains, and may be in use. To revoke the old one: admin keys revoke %s", err, fresh.ID, old.ID)
	}
	return nil
}

// retire revokes the old key after it is no longer used. It does not revoke the new key after
// an error, because programs may use it.
func (r *rotation) retire(ctx context.Context, old *promptrails.APIKey) error {
	end, err := r.limit(ctx, old)
	if err != nil {
		return fmt.Errorf("set the expiry of the old key, which may be unchanged: %w", err)
	}
	r.say("the old key expires at %s; waiting until it has not been used for %s", moment(end), r.quiet)
	status, err := r.wait(ctx, old.ID)
	if err == nil && status != promptrails.APIKeyRevoked {
		err = r.client.APIKeys.Revoke(ctx, old.ID)
	}
	if err != nil {
		return fmt.Errorf("%w; the old key expires at %s", err, moment(end))
	}
	return nil
}

// expiry returns the expiry of the new key: as long after now as that of the old key was
// after its creation.
func (r *rotation) expiry(old *promptrails.APIKey) time.Time {
	if old.ExpiresAt.IsZero() {
		return time.Time{}
	}
	return time.Now().Add(old.ExpiresAt.Sub(old.CreatedAt))
}

// introduce hands the new key over, and verifies it.
func (r *rotation) introduce(ctx context.Context, fresh *promptrails.CreatedAPIKey) error {
	if len(r.handOver) == 0 {
		if err := r.out.write(fresh.Key); err != nil {
			return err
		}
	} else if err := r.execute(ctx, fresh.Key.Reveal()); err != nil {
		return fmt.Errorf("the command %q has failed: %w", r.handOver[0], err)
	}
	result, err := r.client.APIKeys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: fresh.Key})
	if err == nil && !result.Valid {
		err = fmt.Errorf("the new key is not valid: %s", result.Code)
	}
	return err
}

// execute runs the command with the key as its stdin. A command that does not read the
// key has failed, as the key would be lost.
func (r *rotation) execute(ctx context.Context, key string) error {
	stdin, keys, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	go func() {
		_, _ = io.WriteString(keys, key)
		_ = keys.Close()
	}()
	command := exec.CommandContext(ctx, r.handOver[0], r.handOver[1:]...) //nolint:gosec // the command of the user
	command.Stdin, command.Stdout, command.Stderr = stdin, r.app.stderr, r.app.stderr
	err = command.Run()
	if rest, failed := io.ReadAll(stdin); err == nil && (failed != nil || len(rest) > 0) {
		err = errors.New("it did not read the key from its stdin")
	}
	if err == nil {
		r.say("handed over to %s", r.handOver[0])
	}
	return err
}

// rollBack revokes the new key, also after an interruption, and removes its file.
func (r *rotation) rollBack(ctx context.Context, fresh *promptrails.CreatedAPIKey) error {
	r.out.discard()
	if err := r.client.APIKeys.Revoke(context.WithoutCancel(ctx), fresh.ID); err != nil {
		return fmt.Errorf("the new key could not be revoked: %w. It may be valid, and the old one remains as it was. To revoke the new one: admin keys revoke %s", err, fresh.ID)
	}
	r.say("rolled back: the new key is revoked, also where it was stored, and the old one remains as it was")
	return nil
}

// limit sets the old key to expire after the overlap, unless it expires before.
func (r *rotation) limit(ctx context.Context, old *promptrails.APIKey) (time.Time, error) {
	end := time.Now().Add(r.overlap)
	if !old.ExpiresAt.IsZero() && old.ExpiresAt.Before(end) {
		return old.ExpiresAt, nil
	}
	_, err := r.client.APIKeys.Update(ctx, old.ID, &promptrails.UpdateAPIKeyParams{ExpiresAt: &end})
	return end, err
}

// wait waits until the last use of the old key has not changed for the quiet time, or
// until the key has ended without a use. It returns the status of the key.
func (r *rotation) wait(ctx context.Context, id string) (promptrails.APIKeyStatus, error) {
	var last time.Time
	unchanged := time.Duration(-1) // the first response has no earlier one
	for waited := time.Duration(0); ; waited += pollKey {
		key, err := r.client.APIKeys.Get(ctx, id)
		switch {
		case err != nil:
			return "", err
		case unchanged >= 0 && key.LastUsedAt.Equal(last):
			unchanged += pollKey
		default:
			last, unchanged = key.LastUsedAt, 0
		}
		ended := key.Status != promptrails.APIKeyActive
		switch {
		case key.Status == promptrails.APIKeyRevoked:
			r.say("the old key was revoked by another person or program")
			return key.Status, nil
		case unchanged >= r.quiet || ended && unchanged == waited:
			return key.Status, nil
		case ended || waited >= r.overlap:
			return "", fmt.Errorf("the old key is still in use: last at %s from %s", moment(last), key.LastUsedIP)
		}
		if err := r.app.pause(ctx, pollKey); err != nil {
			return "", err
		}
	}
}

func (r *rotation) say(format string, args ...any) {
	_, _ = fmt.Fprintln(r.app.stderr, printable(fmt.Sprintf(format, args...)))
}
