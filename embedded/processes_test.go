package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// processes is the number of services over one database in these tests. A service has
// no state outside of it, so they behave as that many processes do.
const processes = 4

// several runs test with several services over one database.
func several(t *testing.T, cfg embedded.Config, test func(t *testing.T, s []*server)) {
	t.Helper()
	shared(t, func(t *testing.T, with embedded.Config) {
		cfg := cfg // the subtests run in parallel
		cfg.DSN, cfg.AllowLoopbackWebhooks = with.DSN, true
		if cfg.MasterKey == nil {
			cfg.MasterKey = make([]byte, 32)
		}
		s := make([]*server, processes)
		for i := range s {
			s[i] = newServer(t, cfg)
		}
		test(t, s)
	})
}

// via returns p with another service.
func (p *person) via(s *server) *person {
	other := *p
	other.s = s
	return &other
}

// status is an error with the status of a response.
type status int

func (s status) Error() string { return fmt.Sprint("status ", int(s)) }

// Requests with one idempotency key that reach several processes at the same time
// are carried out by one of them.
func TestProcessesShareIdempotencyKeys(t *testing.T) {
	t.Parallel()
	several(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise}, func(t *testing.T, s []*server) {
		ada := s[0].owner("ada@example.com", "research")
		const keys = 25
		_, failures := together(keys*processes, func(i int) error {
			r := ada.via(s[i%processes]).do("POST", "/credentials", fmt.Sprintf(`{"name":"c%d","type":"openai","value":"sk-value-0123456789"}`, i/processes), idempotencyKey, fmt.Sprint(i/processes))
			if r.status != 201 && r.status != 409 {
				return status(r.status)
			}
			return nil
		})
		if len(failures) > 0 {
			t.Errorf("POST /credentials: got %v, want 201 or 409", failures)
		}
		if _, total := ada.do("GET", "/credentials", "").listed(); total != keys {
			t.Errorf("credentials: got %d, want %d, one for each key", total, keys)
		}
	})
}

// Limits, seats and the sequence of the changelog hold for all processes together.
func TestProcessesShareLimits(t *testing.T) {
	t.Parallel()
	several(t, embedded.Config{DefaultPlan: promptrails.PlanStarter}, func(t *testing.T, s []*server) {
		ada := s[0].owner("ada@example.com", "research")
		const limit = 15 // of the plan
		created, failures := together(limit+25, func(i int) error {
			if r := ada.via(s[i%processes]).do("POST", "/agents", `{"name":"a"}`); r.status != 201 {
				return status(r.status)
			}
			return nil
		})
		if created != limit {
			t.Errorf("agents created: got %d, want the limit of %d", created, limit)
		}
		for _, err := range failures {
			if !errors.Is(err, status(402)) {
				t.Errorf("POST /agents: got %v, want 402", err)
			}
		}
		head, err := promptrails.VerifyChangelog(ada.client().Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}), nil)
		if err != nil || head.Sequence != limit+2 {
			t.Errorf("VerifyChangelog: got %+v, %v, want %d entries", head, err, limit+2)
		}
		var before time.Time
		for e, err := range ada.client().Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.OccurredAt.Before(before) {
				t.Errorf("entry %d: got the time %s, want none before %s", e.Sequence, e.OccurredAt, before)
			}
			before = e.OccurredAt
		}
	})
}

// A slug that one process frees cannot be taken through another one.
func TestProcessesReserveFreedSlugs(t *testing.T) {
	t.Parallel()
	several(t, embedded.Config{}, func(_ *testing.T, s []*server) {
		eve := s[1].person("eve@example.com")
		for round := range 10 {
			slug := fmt.Sprint("slug-", round)
			ada := s[0].owner(fmt.Sprintf("ada%d@example.com", round), slug)
			var deleted, created *reply
			var both sync.WaitGroup
			both.Go(func() { deleted = ada.do("DELETE", "/workspaces/"+ada.workspace+"?confirm_slug="+slug, "") })
			both.Go(func() { created = eve.do("POST", "/workspaces", `{"name":"W","slug":"`+slug+`"}`) })
			both.Wait()
			deleted.expect(204)
			created.fails(409, "slug_taken")
		}
	})
}

// The first requests of a person, through several processes, create one user.
func TestProcessesCreateUsersOnce(t *testing.T) {
	t.Parallel()
	identify := func(_ context.Context, token string) (email, name string, err error) {
		return token + "@example.com", "Ada", nil
	}
	several(t, embedded.Config{AuthenticateUser: identify}, func(t *testing.T, s []*server) {
		ids := make([]string, 80)
		_, failures := together(len(ids), func(i int) error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s[i%processes].url+"/api/v1/me", nil)
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", fmt.Sprint("Bearer person", i/8))
			resp, err := s[i%processes].http.Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != 200 {
				return status(resp.StatusCode)
			}
			var body bytes.Buffer
			_, err = body.ReadFrom(resp.Body)
			ids[i] = (&reply{t: t, body: body.String()}).text("id")
			return err
		})
		if len(failures) > 0 {
			t.Fatalf("GET /me: got %v, want 200", failures)
		}
		for i := range ids {
			if want := ids[i/8*8]; ids[i] != want {
				t.Errorf("user of person%d: got %s and %s, want one", i/8, ids[i], want)
			}
		}
	})
}

// A new database has one master key, even if processes with different keys open it at
// the same time.
func TestProcessesAgreeOnTheMasterKey(t *testing.T) {
	t.Parallel()
	shared(t, func(t *testing.T, cfg embedded.Config) {
		opened, failures := together(processes, func(i int) error {
			with := cfg
			with.MasterKey = bytes.Repeat([]byte{byte(i)}, 32)
			return open(t, with)
		})
		if opened != 1 {
			t.Errorf("Open with %d keys: got %d successes and %v, want 1 success", processes, opened, failures)
		}
	})
}

// A value that is changed while another process reseals is not lost.
func TestProcessesResealAndRotate(t *testing.T) {
	t.Parallel()
	first, second := make([]byte, 32), bytes.Repeat([]byte{1}, 32)
	var values sync.Map
	check := func(_ context.Context, c *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error) {
		values.Store(c.ID, value.Reveal())
		return &promptrails.CredentialCheck{IsValid: new(true)}, nil
	}
	shared(t, func(t *testing.T, cfg embedded.Config) {
		var ada *person
		var ids []string
		t.Run("setup", func(t *testing.T) {
			cfg.MasterKey = first
			ada = newServer(t, cfg).owner("ada@example.com", "research")
			for range 60 {
				ids = append(ids, ada.credential("sk-value-before"))
			}
		})
		cfg.MasterKey, cfg.PreviousMasterKeys, cfg.CheckCredential = second, [][]byte{first}, check
		a, b := newServer(t, cfg), newServer(t, cfg)
		var resealed sync.WaitGroup
		resealed.Go(func() {
			if err := a.Reseal(t.Context()); err != nil {
				t.Errorf("Reseal: got %v, want no error", err)
			}
		})
		_, failures := together(len(ids), func(i int) error {
			if r := ada.via(b).do("PATCH", "/credentials/"+ids[i], `{"value":"sk-value-after"}`); r.status >= 300 {
				return status(r.status)
			}
			return nil
		})
		resealed.Wait()
		if len(failures) > 0 {
			t.Errorf("changes of values: got %v, want no error", failures)
		}
		for _, id := range ids {
			ada.via(a).do("POST", "/credentials/"+id+"/check", "").expect(200)
			if value, _ := values.Load(id); value != "sk-value-after" {
				t.Errorf("value of %s: got %v, want the changed one", id, value)
			}
		}
	})
}

// Each event is sent by one process. If that process stops while it sends, another
// one sends the event.
func TestProcessesShareDeliveries(t *testing.T) {
	t.Parallel()
	several(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise}, func(t *testing.T, s []*server) {
		ada := s[0].owner("ada@example.com", "research")
		hook := newReceiver(t, nil)
		channels := make([]string, 5)
		for i := range channels {
			channels[i], _ = ada.channel(hook.url)
		}
		const events = 8 // for each channel
		_, failures := together(events*len(channels), func(i int) error {
			if r := ada.via(s[i%processes]).do("POST", "/notification-channels/"+channels[i%len(channels)]+"/test", ""); r.status != 201 {
				return status(r.status)
			}
			return nil
		})
		if len(failures) > 0 {
			t.Fatalf("test events: got %v, want 201", failures)
		}
		for _, channel := range channels {
			ada.deliveries(channel, ended(events))
		}
		seen := map[string]bool{}
		for len(hook.came) > 0 {
			seen[hook.next().id()] = true
		}
		if requests := events * len(channels); len(seen) != requests {
			t.Errorf("webhook-ids: got %d, want %d", len(seen), requests)
		}
	})
}
