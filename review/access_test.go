package review_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// inhabited returns a world with one object of each kind in its workspace, and a
// second, empty workspace. The secrets are texts that no review may contain.
func inhabited(t *testing.T) (w *world, secrets []string) {
	t.Helper()
	w = newWorld(t, promptrails.PlanPro)
	w.create("empty")
	w.join("grace@example.com", promptrails.RoleAdmin)
	invitation := must[*promptrails.Invitation](t)(w.in.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: "joan@example.com", Role: promptrails.RoleUser}))
	key := w.key(w.in, "Deploy", promptrails.ScopeAgentsRead)
	ok(t, w.in.APIKeys.Revoke(t.Context(), w.key(w.in, "Revoked", promptrails.ScopeAgentsRead).ID))
	credential := w.credential("Model", true)
	must[*promptrails.Resource](t)(w.in.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Agent", "credential_id": credential.ID}))
	w.credential("Spare", false)
	channel := w.channel(promptrails.ChannelWebhook)
	return w, []string{
		key.Key.Reveal(), invitation.Token.Reveal(), "sk-the-secret-value", credential.MaskedContent, channel.Secret.Reveal(), "a-secret-path",
	}
}

// A review has every part of all workspaces, and no secret.
func TestAccess(t *testing.T) {
	t.Parallel()
	w, secrets := inhabited(t)
	report := w.access(w.ada, w.options())
	if len(report.Workspaces) != 2 || report.Workspaces[0].Info.Slug != "empty" || !report.At.Equal(w.clock.now()) {
		t.Fatalf("report: got %d workspaces at %s, want empty and research at %s", len(report.Workspaces), report.At, w.clock.now())
	}
	research := report.Workspaces[1]
	if len(research.Gaps) != 0 {
		t.Errorf("gaps: got %+v, want none", research.Gaps)
	}
	names := map[string][]string{}
	for _, m := range research.Members {
		names["members"] = append(names["members"], m.Email+" "+string(m.Role))
	}
	for _, i := range research.Invitations {
		names["invitations"] = append(names["invitations"], i.Email)
	}
	for _, k := range research.APIKeys {
		maker, known := research.Maker(k)
		if !known || maker == nil {
			t.Fatalf("Maker: got %v, %t, want Ada", maker, known)
		}
		names["keys"] = append(names["keys"], k.Name+" by "+maker.Email)
	}
	for _, c := range research.Credentials {
		names["credentials"] = append(names["credentials"], c.Name)
		for _, ref := range research.CredentialUsage[c.ID] {
			names["used by"] = append(names["used by"], c.Name+" "+string(ref.Type)+" "+ref.Name)
		}
	}
	for _, c := range research.Channels {
		names["channels"] = append(names["channels"], c.Name+" "+c.URL)
	}
	want := map[string][]string{
		"members": {"grace@example.com admin", "ada@example.com owner"}, "invitations": {"joan@example.com"}, "keys": {"Deploy by ada@example.com"},
		"credentials": {"Spare", "Model"}, "used by": {"Model agent Agent"}, "channels": {"Alarms https://127.0.0.1"},
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("review of research (-want +got):\n%s", diff)
	}
	if agents, _ := research.Usage.Limit(promptrails.LimitActiveAgents); agents.Used != 1 || research.Masking == nil || research.Changelog != nil {
		t.Errorf("usage of agents: got %+v, masking %v, changelog %v; want 1, settings and no changelog", agents, research.Masking, research.Changelog)
	}
	text := must[[]byte](t)(json.Marshal(report))
	for _, secret := range secrets {
		if strings.Contains(string(text), secret) {
			t.Errorf("report: got the secret %q in\n%s", secret, text)
		}
	}
}

// A server that shows secrets does not make the review show them, and the stored
// report can be read.
func TestServerThatShowsSecrets(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	client := w.through(func(r *http.Request) (*http.Response, error) {
		switch path.Base(r.URL.Path) {
		case "notification-channels":
			return respond(r, `{"data":[{"id":"c","url":"https://user:a-secret@hooks.example.com/a-secret?a-secret","secret":"whsec_a-secret"}],"meta":{"total":1,"page":1,"limit":20,"pages":1}}`), nil
		case "invitations":
			return respond(r, `{"data":[{"id":"i","token":"a-secret"}],"meta":{"total":1,"page":1,"limit":20,"pages":1}}`), nil
		default:
			return w.serve(r)
		}
	})
	report := w.access(client, w.options())
	text := must[[]byte](t)(json.Marshal(report))
	if strings.Contains(string(text), "a-secret") || !strings.Contains(string(text), `"https://hooks.example.com"`) {
		t.Errorf("report: got\n%s\nwant the URL https://hooks.example.com and no secret", text)
	}
	if err := json.Unmarshal(text, new(review.Report)); err != nil {
		t.Errorf("stored report: got error %v, want none", err)
	}
}

func respond(r *http.Request, body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: readCloser{strings.NewReader(body)},
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// A report that was stored as JSON is equal to the original.
func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	user, _ := w.join("una@example.com", promptrails.RoleUser)
	opts := w.options()
	opts.VerifyChangelog = true
	for name, client := range map[string]*promptrails.Client{"owner": w.ada, "user, who has gaps": user} {
		report := w.access(client, opts)
		text := must[[]byte](t)(json.Marshal(report))
		stored := new(review.Report)
		if err := json.Unmarshal(text, stored); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(report, stored, cmp.Comparer(promptrails.Secret.Equal)); diff != "" {
			t.Errorf("stored report of the %s (-want +got):\n%s", name, diff)
		}
		if again := must[[]byte](t)(json.Marshal(stored)); string(again) != string(text) {
			t.Errorf("JSON of the stored report of the %s: got\n%s\nwant\n%s", name, again, text)
		}
	}
}

// A section that the caller may not read is a gap with the scope or role that it
// requires, and the other sections are read.
func TestGaps(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	key := w.key(w.in, "Reviewer", promptrails.ScopeWorkspacesRead, promptrails.ScopeAPIKeysRead)
	byKey := must[*promptrails.Client](t)(w.Client(promptrails.WithAPIKey(key.Key.Reveal())))
	user, _ := w.join("una@example.com", promptrails.RoleUser)
	opts := w.options()
	opts.VerifyChangelog = true
	for name, test := range map[string]struct {
		client *promptrails.Client
		gaps   []string
	}{
		"a key": {byKey, []string{
			"members members:read", "invitations members:read", "credentials credentials:read", "credential_usage credentials:read",
			"channels notifications:read", "masking masking:read", "usage billing:read", "changelog changelog:read",
		}},
		"a user": {user, []string{"invitations admin", "api_keys admin", "credential_usage admin", "channels admin", "masking admin", "changelog admin"}},
	} {
		report := w.access(test.client, opts)
		if len(report.Workspaces) != 1 {
			t.Fatalf("workspaces of %s: got %d, want 1", name, len(report.Workspaces))
		}
		var gaps []string
		for _, g := range report.Workspaces[0].Gaps {
			gaps = append(gaps, string(g.Section)+" "+string(g.Scope)+string(g.Role))
			if g.Message == "" || g.Code == "" {
				t.Errorf("gap of %s: got %+v, want a message and a code", name, g)
			}
		}
		if diff := cmp.Diff(test.gaps, gaps); diff != "" {
			t.Errorf("gaps of %s (-want +got):\n%s", name, diff)
		}
	}
	narrow := w.access(byKey, opts).Workspaces[0]
	if _, known := narrow.Maker(narrow.APIKeys[0]); known || len(narrow.APIKeys) != 2 {
		t.Errorf("Maker without members: got known %t, %d keys; want false, 2", known, len(narrow.APIKeys))
	}
	if slices.Contains(rules(w.access(byKey, opts)), "api-key-maker-left") {
		t.Error("findings without members: got api-key-maker-left, want none")
	}
}

// A key that has expired has no access.
func TestExpiredKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	w.key(w.in, "Old", promptrails.ScopeAll)
	w.clock.forward(366 * day)
	if keys := w.access(w.ada, w.options()).Workspaces[0].APIKeys; len(keys) != 0 {
		t.Errorf("keys: got %+v, want none", keys)
	}
}

// A credential that is deleted during the review is no fault.
func TestCredentialDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	deleted := w.credential("Deleted", false)
	kept := w.credential("Kept", false)
	client := w.through(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, deleted.ID+"/usage") {
			if err := w.in.Credentials.Delete(r.Context(), deleted.ID, nil); err != nil {
				return nil, err
			}
		}
		return w.serve(r)
	})
	workspace := w.access(client, w.options()).Workspaces[0]
	if _, known := workspace.CredentialUsage[kept.ID]; !known || len(workspace.CredentialUsage) != 1 || len(workspace.Gaps) != 0 {
		t.Errorf("usage: got %+v and gaps %+v, want only that of %s", workspace.CredentialUsage, workspace.Gaps, kept.ID)
	}
}

// A fault of one workspace is reported in it, and the others are complete.
func TestFaultOfOneWorkspace(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	client := w.through(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Workspace-Id") == w.workspace.ID && strings.HasSuffix(r.URL.Path, "/members") {
			return nil, errors.New("connection reset")
		}
		return w.serve(r)
	})
	report := w.access(client, w.options())
	if gaps := report.Workspaces[0].Gaps; len(gaps) != 0 {
		t.Errorf("gaps of the other workspace: got %+v, want none", gaps)
	}
	gaps := report.Workspaces[1].Gaps
	if len(gaps) != 1 || gaps[0].Section != review.SectionMembers || !strings.Contains(gaps[0].Message, "connection reset") {
		t.Errorf("gaps: got %+v, want members, connection reset", gaps)
	}
}

// If authentication fails, or the context is done, the review ends with an error
// and is not shortened silently.
func TestReviewThatCannotContinue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	for n := range 12 {
		w.create("w" + strconv.Itoa(n))
	}
	user := must[*promptrails.Client](t)(w.Client(promptrails.WithAccessToken("pat_unknown")))
	if _, err := review.Access(t.Context(), user, nil); !errors.Is(err, promptrails.ErrUnauthorized) {
		t.Errorf("Access with an unknown token: got %v, want ErrUnauthorized", err)
	}
	refused := w.through(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Workspace-Id") != "" {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer pat_revoked")
		}
		return w.serve(r)
	})
	if report, err := review.Access(t.Context(), refused, nil); !errors.Is(err, promptrails.ErrUnauthorized) || report != nil {
		t.Errorf("Access with a token that is revoked meanwhile: got %v, %v, want nil, ErrUnauthorized", report, err)
	}
}

// A review with a canceled context yields the workspaces that were read, and then
// an error: the list is not complete.
func TestCanceledReview(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, promptrails.PlanStarter)
		for n := range 12 {
			w.create("w" + strconv.Itoa(n))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		read := 0
		var last error
		for _, err := range review.Each(ctx, w.ada, w.options()) {
			if last = err; err == nil {
				read++
			}
			synctest.Wait() // until the workspaces ahead are read
			cancel()
			synctest.Wait()
		}
		if read != 4 || !errors.Is(last, context.Canceled) {
			t.Errorf("Each with a canceled context: got %d workspaces and %v, want 4 and context.Canceled", read, last)
		}
	})
}

// Each can be left early, and ranged over twice.
func TestEachTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	for n := range 9 {
		w.create("w" + strconv.Itoa(n))
	}
	workspaces := review.Each(t.Context(), w.ada, w.options())
	for workspace, err := range workspaces {
		if err != nil || workspace.Info.Slug != "w8" {
			t.Errorf("first workspace: got %v, %v, want w8", workspace, err)
		}
		break
	}
	var slugs []string
	for workspace, err := range workspaces {
		ok(t, err)
		slugs = append(slugs, workspace.Info.Slug)
	}
	if want := []string{"w8", "w7", "w6", "w5", "w4", "w3", "w2", "w1", "w0", "research"}; !slices.Equal(slugs, want) {
		t.Errorf("workspaces: got %v, want %v", slugs, want)
	}
}

// A review makes as many requests at a time as it may, and reads no more
// workspaces ahead, however slow the caller is.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, promptrails.PlanStarter)
		for n := range 20 {
			w.create("w" + strconv.Itoa(n))
		}
		var mu sync.Mutex
		running, most := 0, 0
		seen := map[string]bool{}
		client := w.through(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			running++
			most = max(most, running)
			if id := r.Header.Get("X-Workspace-Id"); id != "" {
				seen[id] = true
			}
			mu.Unlock()
			time.Sleep(time.Second) // of the fake clock: others can begin
			response, err := w.serve(r)
			mu.Lock()
			running--
			mu.Unlock()
			return response, err
		})
		opts := w.options()
		opts.Concurrency = 3
		read := 0
		for _, err := range review.Each(t.Context(), client, opts) {
			ok(t, err)
			read++
			synctest.Wait()
			time.Sleep(time.Hour)
			mu.Lock()
			if len(seen) > read+2 {
				t.Errorf("workspaces that were requested: got %d, want %d or fewer after %d were read", len(seen), read+2, read)
			}
			mu.Unlock()
		}
		if most != 3 || read != 21 {
			t.Errorf("concurrent requests and workspaces: got %d and %d, want 3 and 21", most, read)
		}
	})
}

// While the server limits the rate, the review pauses as long as it demands, and
// then continues where it was.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := inhabited(t)
		var mu sync.Mutex
		refused, early := 0, 0
		var until time.Time
		client := w.through(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if time.Now().Before(until) {
				early++
			}
			if r.Header.Get("X-Workspace-Id") != "" && refused < 4 {
				refused++
				until = time.Now().Add(2 * time.Minute)
				response := respond(r, `{"error":{"code":"rate_limited","message":"too many requests"}}`)
				response.StatusCode = http.StatusTooManyRequests
				response.Header.Set("Retry-After", "120")
				return response, nil
			}
			return w.serve(r)
		})
		opts := w.options()
		opts.Concurrency = 1
		start := time.Now()
		report := w.access(client, opts)
		for _, workspace := range report.Workspaces {
			if len(workspace.Gaps) != 0 {
				t.Errorf("gaps: got %+v, want none", workspace.Gaps)
			}
		}
		if refused != 4 || early != 0 || time.Since(start) < 8*time.Minute {
			t.Errorf("refused requests: got %d, %d requests in a pause, %s in all; want 4, 0, 8 minutes", refused, early, time.Since(start))
		}
	})
}

// A limit that the server does not end, or not soon, is a gap and not an endless
// review.
func TestRateLimitThatPersists(t *testing.T) {
	t.Parallel()
	for retryAfter, want := range map[string]time.Duration{"": 5 * time.Second, "3600": 0} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, promptrails.PlanStarter)
			client := w.through(func(r *http.Request) (*http.Response, error) {
				if !strings.HasSuffix(r.URL.Path, "/members") {
					return w.serve(r)
				}
				response := respond(r, `{"error":{"code":"rate_limited","message":"too many requests"}}`)
				response.StatusCode = http.StatusTooManyRequests
				response.Header.Set("Retry-After", retryAfter)
				return response, nil
			})
			start := time.Now()
			report := w.access(client, w.options())
			if gaps := report.Workspaces[0].Gaps; len(gaps) != 1 || gaps[0].Code != promptrails.CodeRateLimited {
				t.Errorf("gaps: got %+v, want members with the code rate_limited", gaps)
			}
			if pauses := time.Since(start).Round(time.Second); pauses != want { // of the fake clock
				t.Errorf("pauses with Retry-After %q: got %s, want %s", retryAfter, pauses, want)
			}
		})
	}
}

// Progress is reported after each workspace, with the number of all of them.
func TestProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	w.create("second")
	var got []string
	opts := w.options()
	opts.Progress = func(p review.Progress) {
		got = append(got, strconv.Itoa(p.Done)+" of "+strconv.Itoa(p.Total)+" "+p.Workspace.Info.Slug)
	}
	w.access(w.ada, opts)
	if want := []string{"1 of 2 second", "2 of 2 research"}; !slices.Equal(got, want) {
		t.Errorf("progress: got %q, want %q", got, want)
	}
}

// A company adds rules of its own, with findings of their own severity.
func TestOwnRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	w.key(w.in, "Deploy", promptrails.ScopeAgentsRead)
	opts := w.options()
	opts.Rules = append(review.DefaultRules(), review.Rule{
		ID: "acme-key-name", Severity: review.SeverityLow, Title: "API key without a team",
		Check: func(w *review.Workspace, _ review.Params) (found []review.Finding) {
			for _, k := range w.APIKeys {
				found = append(found, review.Finding{Message: k.Name}, review.Finding{Message: k.Name, Severity: review.SeverityHigh})
			}
			return found
		},
	})
	var got []string
	for f := range w.access(w.ada, opts).Findings() {
		got = append(got, f.Rule+" "+string(f.Severity)+" "+f.Workspace)
	}
	if want := []string{"acme-key-name high research", "acme-key-name low research"}; !slices.Equal(got, want) {
		t.Errorf("findings: got %q, want %q", got, want)
	}
	opts.Rules = []review.Rule{}
	if got := rules(w.access(w.ada, opts)); len(got) != 0 {
		t.Errorf("findings without rules: got %v, want none", got)
	}
}

// A review refuses bounds that cannot be meant, and names them.
func TestInvalidParams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	stored := troubled()
	usual := stored.Check(review.DefaultRules(), review.Params{})
	for field, invalid := range map[string][]review.Params{
		"Params.KeyUnused":        {{KeyUnused: -1}},
		"Params.KeyExpires":       {{KeyExpires: -1}},
		"Params.AdminInactive":    {{AdminInactive: -1}},
		"Params.CredentialUnused": {{CredentialUnused: -1}},
		"Params.LimitShare":       {{LimitShare: -0.1}, {LimitShare: 1.1}, {LimitShare: math.NaN()}, {LimitShare: math.Inf(1)}},
	} {
		for _, params := range invalid {
			_, err := review.Access(t.Context(), w.ada, &review.Options{Params: params})
			if v, ok := errors.AsType[*promptrails.ValidationError](err); !ok || len(v.Fields) != 1 || v.Fields[field] == "" {
				t.Errorf("Access with %+v: got %v, want a ValidationError of %s", params, err, field)
			}
			if diff := cmp.Diff(usual, stored.Check(review.DefaultRules(), params)); diff != "" {
				t.Errorf("Check with %+v: got other findings than with the default (-default +got):\n%s", params, diff)
			}
		}
	}
	w.access(w.ada, &review.Options{Params: review.Params{LimitShare: 1}})
}

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	check := func(*review.Workspace, review.Params) []review.Finding { return nil }
	for name, opts := range map[string]*review.Options{
		"negative concurrency": {Concurrency: -1},
		"too much concurrency": {Concurrency: 65},
		"rule without an ID":   {Rules: []review.Rule{{Check: check}}},
		"rule without a Check": {Rules: []review.Rule{{ID: "r"}}},
		"two rules of one ID":  {Rules: []review.Rule{{ID: "r", Check: check}, {ID: "r", Check: check}}},
	} {
		if _, err := review.Access(t.Context(), w.ada, opts); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("Access with a %s: got %v, want ErrValidation", name, err)
		}
		for workspace, err := range review.Each(t.Context(), w.ada, opts) {
			if workspace != nil || !errors.Is(err, promptrails.ErrValidation) {
				t.Errorf("Each with a %s: got %v, %v, want ErrValidation", name, workspace, err)
			}
		}
	}
	if _, err := review.Access(t.Context(), nil, nil); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("Access without a client: got %v, want ErrValidation", err)
	}
}
