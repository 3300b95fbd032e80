package promptrails_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// sequence reads entries from lines of JSON, as an export has them.
func sequence(lines []string) iter.Seq2[*promptrails.ChangelogEntry, error] {
	return func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for _, line := range lines {
			e := new(promptrails.ChangelogEntry)
			if err := json.Unmarshal([]byte(line), e); err != nil {
				yield(nil, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// export returns a changelog of some twenty entries, with values of all kinds.
func export(t *testing.T) []string {
	t.Helper()
	ks := newKeyService(t)
	ctx := t.Context()
	for i := range 3 {
		agent := must[*promptrails.Resource](t)(ks.owner.Resources.Create(ctx, promptrails.KindAgents, map[string]any{
			"name": fmt.Sprintf("Agent \u00fc %d", i), "text": "a\u2028b", "temperature": 0.1 + float64(i), "big": json.RawMessage("12345678901234567890"), "nested": map[string]any{"a": []any{1, nil, true, "x"}},
		}))
		must[*promptrails.Resource](t)(ks.owner.Resources.Update(ctx, promptrails.KindAgents, agent.ID, map[string]any{"temperature": 1e-7, "note": "\"quoted\"\n"}))
		must[*promptrails.Credential](t)(ks.owner.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: "c", Type: "openai", Value: promptrails.NewSecret("sk-value-0123456789")}))
		must[*promptrails.Transaction](t)(ks.owner.Billing.TopUp(ctx, promptrails.Money{Amount: 100, Currency: "USD"}))
	}
	var lines []string
	for e, err := range ks.owner.Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(must[[]byte](t)(e.MarshalJSON()))) // as it was served: [json.Marshal] escapes more
	}
	return lines
}

func TestVerifyChangelog(t *testing.T) {
	t.Parallel()
	lines := export(t)
	head, err := promptrails.VerifyChangelog(sequence(lines), nil)
	if err != nil || head.Sequence != int64(len(lines)) || head.WorkspaceID == "" {
		t.Fatalf("%+v, %v", head, err)
	}
	// From the middle on, beginning with the entry that the head is of.
	middle, err := promptrails.VerifyChangelog(sequence(lines[:7]), &promptrails.ChangelogHead{WorkspaceID: head.WorkspaceID})
	if err != nil || middle.Sequence != 7 {
		t.Fatalf("%+v, %v", middle, err)
	}
	if again, err := promptrails.VerifyChangelog(sequence(lines[6:]), middle); err != nil || *again != *head {
		t.Errorf("%+v, %v", again, err)
	}
	// In another form it is the same.
	var written []string
	for _, line := range lines {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
		written = append(written, string(must[[]byte](t)(json.MarshalIndent(members, "", "\t"))))
	}
	if again, err := promptrails.VerifyChangelog(sequence(written), nil); err != nil || *again != *head {
		t.Errorf("written anew: %+v, %v", again, err)
	}
	for name, c := range map[string]struct {
		lines []string
		from  *promptrails.ChangelogHead
		at    int64
	}{
		"another workspace":                 {lines, &promptrails.ChangelogHead{WorkspaceID: "other"}, 1},
		"nothing after a head":              {nil, middle, 7},
		"the end is cut off":                {lines[:6], head, head.Sequence},
		"a head from the beginning":         {lines, middle, 7},
		"a head that begins too late":       {lines[7:], middle, 7},
		"another entry than the head's":     {lines[6:], &promptrails.ChangelogHead{WorkspaceID: head.WorkspaceID, Sequence: 7, Hash: strings.Repeat("0", 64)}, 7},
		"newest first":                      {reversed(lines), nil, 1},
		"filtered":                          {[]string{lines[0], lines[2], lines[5]}, nil, 2},
		"a number that a float would round": {replaced(lines, 3, `"to":0.1`, `"to":0.1000000000000000000001`), nil, 4},
		"the beginning is cut off":          {lines[1:], nil, 1},
	} {
		_, err := promptrails.VerifyChangelog(sequence(c.lines), c.from)
		chain, ok := errors.AsType[*promptrails.ChainError](err)
		if !ok || chain.Sequence != c.at {
			t.Errorf("%s: %v, want it at %d", name, err, c.at)
		}
	}
	// The first entry hangs on the workspace's id, and on nothing else.
	first := rehash(strings.Replace(lines[0], `"prev_hash":"`, `"prev_hash":"0`, 1))
	if _, err := promptrails.VerifyChangelog(sequence([]string{first}), nil); err == nil {
		t.Error("a first entry that follows another one verifies")
	}
	if _, err := promptrails.VerifyChangelog(sequence([]string{lines[0], lines[0]}), nil); err == nil || !strings.Contains(err.Error(), "comes before") {
		t.Errorf("a doubled entry: %v", err)
	}
	if head, err := promptrails.VerifyChangelog(sequence(nil), nil); err != nil || head.Sequence != 0 {
		t.Errorf("nothing at all: %+v, %v", head, err)
	}
	broken := errors.New("disk on fire")
	if _, err := promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) { yield(nil, broken) }, nil); !errors.Is(err, broken) {
		t.Errorf("an error of the sequence: %v", err)
	}
}

func reversed(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Reverse(lines)
	return lines
}

// replaced changes a text in one of the lines.
func replaced(lines []string, at int, before, after string) []string {
	lines = slices.Clone(lines)
	for !strings.Contains(lines[at], before) {
		at++
	}
	lines[at] = strings.Replace(lines[at], before, after, 1)
	return lines
}

// Whatever is edited in an export, the first sequence that does not fit is
// named. Who edits may know the rule, and put the right hash on what they wrote:
// then it is the next entry that does not fit.
func TestVerifyChangelogFindsEdits(t *testing.T) {
	t.Parallel()
	lines := export(t)
	rapid.Check(t, func(t *rapid.T) {
		edited := slices.Clone(lines)
		i := rapid.IntRange(0, len(lines)-2).Draw(t, "entry")
		want := int64(i + 1)
		switch edit := rapid.SampledFrom([]string{"alter", "alter and hash", "drop", "swap", "double", "cut the beginning"}).Draw(t, "edit"); edit {
		case "alter", "alter and hash":
			edited[i] = alter(t, edited[i])
			if edit == "alter and hash" {
				if edited[i] = rehash(edited[i]); hashOf(edited[i]) == hashOf(lines[i]) {
					t.Skip("the hash itself was altered, and mended")
				}
				want = 0 // here or at the next one
			}
		case "drop":
			edited = slices.Delete(edited, i, i+1)
		case "swap":
			edited[i], edited[i+1] = edited[i+1], edited[i]
		case "double":
			edited = slices.Insert(edited, i, edited[i])
			want++
		case "cut the beginning":
			edited, want = edited[i+1:], 1
		}
		_, err := promptrails.VerifyChangelog(sequence(edited), nil)
		chain, ok := errors.AsType[*promptrails.ChainError](err)
		switch {
		case err != nil && !ok: // a number or a time that is none cannot even be read
		case err == nil:
			t.Fatal("not found")
		case want == 0 && chain.Sequence != int64(i+1) && chain.Sequence != int64(i+2), want != 0 && chain.Sequence != want:
			t.Fatalf("found at %d, want %d: %v", chain.Sequence, want, err)
		}
	})
}

// alter changes one value of an entry, at any depth.
func alter(t *rapid.T, line string) string {
	type span struct{ from, to int64 }
	var values []span
	dec := jsontext.NewDecoder(strings.NewReader(line))
	for {
		before := dec.InputOffset()
		token, err := dec.ReadToken()
		if err != nil {
			break
		}
		kind, length := dec.StackIndex(dec.StackDepth())
		isName := kind == '{' && length%2 == 1
		if k := token.Kind(); (k == '"' || k == '0' || k == 't' || k == 'f' || k == 'n') && !isName {
			text := line[before:dec.InputOffset()]
			at := before + int64(len(text)-len(strings.TrimLeft(text, ",: ")))
			values = append(values, span{at, dec.InputOffset()})
		}
	}
	v := rapid.SampledFrom(values).Draw(t, "value")
	return line[:v.from] + `"edited"` + line[v.to:]
}

func hashOf(line string) string {
	var e promptrails.ChangelogEntry
	_ = json.Unmarshal([]byte(line), &e) // "" for what cannot be read
	return e.Hash
}

// rehash puts the hash of its content on an entry.
func rehash(line string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(line), &members) != nil {
		return line
	}
	delete(members, "hash")
	content, _ := json.Marshal(members) //nolint:errchkjson // as it was read
	canonical := jsontext.Value(content)
	if canonical.Canonicalize() != nil {
		return line
	}
	sum := sha256.Sum256(canonical)
	members["hash"], _ = json.Marshal(hex.EncodeToString(sum[:])) //nolint:errchkjson // a string
	text, _ := json.Marshal(members)                              //nolint:errchkjson // as it was read
	return string(text)
}

// The vector is for those who check a changelog without this library, and so is
// the script beside it, which knows the rule alone.
func TestChangelogVector(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "changelog")
	file := must[*os.File](t)(os.Open(filepath.Join(dir, "export.ndjson")))
	defer func() { _ = file.Close() }()
	var lines []string
	for s := bufio.NewScanner(file); s.Scan(); {
		lines = append(lines, s.Text())
	}
	head, err := promptrails.VerifyChangelog(sequence(lines), nil)
	want := strings.TrimSpace(string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "head.txt")))))
	if err != nil || fmt.Sprintf("%s %d %s", head.WorkspaceID, head.Sequence, head.Hash) != want {
		t.Fatalf("%+v, %v, want %s", head, err, want)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here: the script that checks the vector was not run")
	}
	verify := func(input []string) (string, error) {
		script := exec.CommandContext(t.Context(), python, filepath.Join(dir, "verify.py"))
		script.Stdin = strings.NewReader(strings.Join(input, "\n") + "\n")
		out, err := script.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if got, err := verify(lines); err != nil || got != want {
		t.Errorf("the script says %s, %v", got, err)
	}
	if got, err := verify(replaced(lines, 4, `"name"`, `"nome"`)); err == nil {
		t.Errorf("the script takes an altered entry: %s", got)
	}
}

// Tail yields what is there and what comes, none twice, through outages.
func TestTail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		key := ks.newKey(promptrails.ScopeChangelogRead)
		c := ks.client(promptrails.WithAPIKey(key.Key.Reveal()))
		for range 150 { // more than a page
			ks.newKey(promptrails.ScopeAppsRead)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var seen []int64
		var ended error
		var follower sync.WaitGroup
		follower.Go(func() {
			for e, err := range c.Changelog.Tail(ctx, &promptrails.TailParams{After: 2, Interval: time.Second}) {
				if err != nil {
					ended = err
					return
				}
				mu.Lock()
				seen = append(seen, e.Sequence)
				mu.Unlock()
			}
		})
		count := func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }
		head := func() int {
			return int(must[*promptrails.ChangelogHead](t)(ks.owner.Changelog.Head(t.Context())).Sequence)
		}
		synctest.Wait()
		if count() != head()-2 {
			t.Errorf("%d of %d entries at once", count(), head()-2)
		}
		ks.newKey(promptrails.ScopeAppsRead)
		ks.respondWith(status(503, ``))
		time.Sleep(5 * time.Minute)
		ks.bringUp()
		ks.newKey(promptrails.ScopeAppsRead)
		time.Sleep(time.Minute)
		synctest.Wait()
		if count() != head()-2 {
			t.Errorf("%d of %d entries after an outage", count(), head()-2)
		}
		ks.resetRequests()
		time.Sleep(time.Minute)
		if n := ks.requests(); n < 55 || n > 61 {
			t.Errorf("looked %d times in a minute, at an interval of a second", n)
		}
		before := time.Now()
		cancel()
		follower.Wait()
		if !errors.Is(ended, context.Canceled) || !time.Now().Equal(before) {
			t.Errorf("ended with %v, %s later", ended, time.Since(before))
		}
		for i, sequence := range seen {
			if sequence != int64(i+3) {
				t.Fatalf("the sequence %d stands at %d", sequence, i)
			}
		}
	})
}

func TestTailEnds(t *testing.T) {
	t.Parallel()
	entry := func(sequence int) string { return fmt.Sprintf(`{"id":"e","sequence":%d}`, sequence) }
	for name, c := range map[string]struct {
		params *promptrails.TailParams
		answer http.HandlerFunc
		is     func(error) bool
	}{
		"a right that is lost": {nil, status(403, `{"error":{"code":"forbidden","message":"no"}}`), func(err error) bool { return errors.Is(err, promptrails.ErrForbidden) }},
		"a gap": {&promptrails.TailParams{After: 4}, status(200, `{"data":[`+entry(5)+`,`+entry(7)+`]}`), func(err error) bool {
			chain, ok := errors.AsType[*promptrails.ChainError](err)
			return ok && chain.Sequence == 6
		}},
		"a parameter": {&promptrails.TailParams{After: -1}, nil, func(err error) bool { return errors.Is(err, promptrails.ErrValidation) }},
	} {
		client := clientOver(t, &answers{script: []http.HandlerFunc{c.answer}})
		var last error
		for _, err := range client.Changelog.Tail(t.Context(), c.params) {
			last = err
		}
		if !c.is(last) {
			t.Errorf("%s: ended with %v", name, last)
		}
	}
	// A break ends it too.
	client := clientOver(t, &answers{script: []http.HandlerFunc{status(200, `{"data":[`+entry(1)+`]}`)}})
	for e, err := range client.Changelog.Tail(t.Context(), nil) {
		if err != nil || e.Sequence != 1 {
			t.Errorf("%+v, %v", e, err)
		}
		break
	}
}
