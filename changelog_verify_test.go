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

// sequence returns the entries of an export with one JSON object per line.
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

// export returns the lines of a changelog of about twenty entries, with all kinds
// of JSON values.
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
		lines = append(lines, string(must[[]byte](t)(e.MarshalJSON()))) // as served; [json.Marshal] escapes more
	}
	return lines
}

func TestVerifyChangelog(t *testing.T) {
	t.Parallel()
	lines := export(t)
	head, err := promptrails.VerifyChangelog(sequence(lines), nil)
	if err != nil || head.Sequence != int64(len(lines)) || head.WorkspaceID == "" {
		t.Fatalf("VerifyChangelog: got %+v, %v; want a head at %d", head, err, len(lines))
	}
	// A head resumes the verification. The entries start with the head's own.
	middle, err := promptrails.VerifyChangelog(sequence(lines[:7]), &promptrails.ChangelogHead{WorkspaceID: head.WorkspaceID})
	if err != nil || middle.Sequence != 7 {
		t.Fatalf("VerifyChangelog of 7 entries: got %+v, %v; want a head at 7", middle, err)
	}
	if again, err := promptrails.VerifyChangelog(sequence(lines[6:]), middle); err != nil || *again != *head {
		t.Errorf("VerifyChangelog from entry 7: got %+v, %v; want %+v", again, err, head)
	}
	// The hash does not depend on the formatting of the JSON.
	var indented []string
	for _, line := range lines {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
		indented = append(indented, string(must[[]byte](t)(json.MarshalIndent(members, "", "\t"))))
	}
	if again, err := promptrails.VerifyChangelog(sequence(indented), nil); err != nil || *again != *head {
		t.Errorf("VerifyChangelog of indented entries: got %+v, %v; want %+v", again, err, head)
	}
	for name, c := range map[string]struct {
		lines []string
		from  *promptrails.ChangelogHead
		at    int64
	}{
		"other workspace":              {lines, &promptrails.ChangelogHead{WorkspaceID: "other"}, 1},
		"no entries after a head":      {nil, middle, 7},
		"last entries missing":         {lines[:6], head, head.Sequence},
		"entries from before the head": {lines, middle, 7},
		"entry of the head missing":    {lines[7:], middle, 7},
		"other hash in the head":       {lines[6:], &promptrails.ChangelogHead{WorkspaceID: head.WorkspaceID, Sequence: 7, Hash: strings.Repeat("0", 64)}, 7},
		"newest first":                 {reversed(lines), nil, 1},
		"filtered":                     {[]string{lines[0], lines[2], lines[5]}, nil, 2},
		"number that a float64 rounds": {replaced(lines, 3, `"to":0.1`, `"to":0.1000000000000000000001`), nil, 4},
		"first entry missing":          {lines[1:], nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := promptrails.VerifyChangelog(sequence(c.lines), c.from)
			chain, ok := errors.AsType[*promptrails.ChainError](err)
			if !ok || chain.Sequence != c.at {
				t.Errorf("VerifyChangelog: got %v, want a *ChainError at %d", err, c.at)
			}
		})
	}
	// The prev_hash of the first entry is the hash of the workspace's id.
	first := rehash(strings.Replace(lines[0], `"prev_hash":"`, `"prev_hash":"0`, 1))
	if _, err := promptrails.VerifyChangelog(sequence([]string{first}), nil); err == nil {
		t.Error("VerifyChangelog with another prev_hash in the first entry: got no error, want one")
	}
	if _, err := promptrails.VerifyChangelog(sequence([]string{lines[0], lines[0]}), nil); err == nil || !strings.Contains(err.Error(), "found the earlier entry") {
		t.Errorf("VerifyChangelog of a repeated entry: got %v, want \"found the earlier entry\" in it", err)
	}
	if head, err := promptrails.VerifyChangelog(sequence(nil), nil); err != nil || head.Sequence != 0 {
		t.Errorf("VerifyChangelog without entries: got %+v, %v; want sequence 0", head, err)
	}
	broken := errors.New("read failed")
	if _, err := promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) { yield(nil, broken) }, nil); !errors.Is(err, broken) {
		t.Errorf("VerifyChangelog of a failing sequence: got %v, want its error", err)
	}
}

func reversed(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Reverse(lines)
	return lines
}

// replaced replaces the first before with after, in the first line from at on
// that contains it.
func replaced(lines []string, at int, before, after string) []string {
	lines = slices.Clone(lines)
	for !strings.Contains(lines[at], before) {
		at++
	}
	lines[at] = strings.Replace(lines[at], before, after, 1)
	return lines
}

// For any edit of an export, the error has the sequence of the first entry that
// does not match. If the edited entry has a valid hash, that can be the next one.
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
					t.Skip("only the hash was changed, and rehash restored it")
				}
				want = 0 // this entry or the next
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
		case err != nil && !ok: // an invalid number or time is a decoding error
		case err == nil:
			t.Fatal("VerifyChangelog of an edited export: got no error, want a *ChainError")
		case want == 0 && chain.Sequence != int64(i+1) && chain.Sequence != int64(i+2), want != 0 && chain.Sequence != want:
			t.Fatalf("VerifyChangelog with entry %d edited: got an error at %d, want %d (0 means this entry or the next): %v", i+1, chain.Sequence, want, err)
		}
	})
}

// alter replaces one value of an entry, at any depth.
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
	_ = json.Unmarshal([]byte(line), &e) // "" for invalid JSON
	return e.Hash
}

// rehash sets the hash of an entry to match its content.
func rehash(line string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(line), &members) != nil {
		return line
	}
	delete(members, "hash")
	content, _ := json.Marshal(members) //nolint:errchkjson // decoded above
	canonical := jsontext.Value(content)
	if canonical.Canonicalize() != nil {
		return line
	}
	sum := sha256.Sum256(canonical)
	members["hash"], _ = json.Marshal(hex.EncodeToString(sum[:])) //nolint:errchkjson // a string
	text, _ := json.Marshal(members)                              //nolint:errchkjson // decoded above
	return string(text)
}

// The test vector is for other implementations. The script next to it verifies a
// changelog without this library.
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
		t.Fatalf("VerifyChangelog of the vector: got %+v, %v; want %s", head, err, want)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 not found: verify.py was not run")
	}
	verify := func(input []string) (string, error) {
		script := exec.CommandContext(t.Context(), python, filepath.Join(dir, "verify.py"))
		script.Stdin = strings.NewReader(strings.Join(input, "\n") + "\n")
		out, err := script.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if got, err := verify(lines); err != nil || got != want {
		t.Errorf("verify.py: got %s, %v; want %s", got, err, want)
	}
	if got, err := verify(replaced(lines, 4, `"name"`, `"nome"`)); err == nil {
		t.Errorf("verify.py with a changed entry: got %s, want an error", got)
	}
}

// Tail yields existing and new entries, each once, also after an outage.
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
			t.Errorf("existing entries: got %d, want %d", count(), head()-2)
		}
		ks.newKey(promptrails.ScopeAppsRead)
		ks.respondWith(status(503, ``))
		time.Sleep(5 * time.Minute)
		ks.bringUp()
		ks.newKey(promptrails.ScopeAppsRead)
		time.Sleep(time.Minute)
		synctest.Wait()
		if count() != head()-2 {
			t.Errorf("entries after an outage: got %d, want %d", count(), head()-2)
		}
		ks.resetRequests()
		time.Sleep(time.Minute)
		if n := ks.requests(); n < 55 || n > 61 {
			t.Errorf("requests in a minute with an interval of 1s: got %d, want 55 to 61", n)
		}
		before := time.Now()
		cancel()
		follower.Wait()
		if !errors.Is(ended, context.Canceled) || !time.Now().Equal(before) {
			t.Errorf("Tail after cancel: got %v after %s, want context.Canceled after 0s", ended, time.Since(before))
		}
		for i, sequence := range seen {
			if sequence != int64(i+3) {
				t.Fatalf("entry %d: got sequence %d, want %d", i, sequence, i+3)
			}
		}
	})
}

func TestTailReturnsPermanentErrors(t *testing.T) {
	t.Parallel()
	entry := func(sequence int) string { return fmt.Sprintf(`{"id":"e","sequence":%d}`, sequence) }
	for name, c := range map[string]struct {
		params   *promptrails.TailParams
		response http.HandlerFunc
		want     func(error) bool
	}{
		"forbidden": {nil, status(403, `{"error":{"code":"forbidden","message":"no"}}`), func(err error) bool { return errors.Is(err, promptrails.ErrForbidden) }},
		"missing entry": {&promptrails.TailParams{After: 4}, status(200, `{"data":[`+entry(5)+`,`+entry(7)+`]}`), func(err error) bool {
			chain, ok := errors.AsType[*promptrails.ChainError](err)
			return ok && chain.Sequence == 6
		}},
		"invalid parameter": {&promptrails.TailParams{After: -1}, nil, func(err error) bool { return errors.Is(err, promptrails.ErrValidation) }},
	} {
		t.Run(name, func(t *testing.T) {
			client := clientOver(t, &scripted{script: []http.HandlerFunc{c.response}})
			var last error
			for _, err := range client.Changelog.Tail(t.Context(), c.params) {
				last = err
			}
			if !c.want(last) {
				t.Errorf("Tail: got %v, want the error that this case describes", last)
			}
		})
	}
	// The caller can stop the iteration.
	client := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, `{"data":[`+entry(1)+`]}`)}})
	for e, err := range client.Changelog.Tail(t.Context(), nil) {
		if err != nil || e.Sequence != 1 {
			t.Errorf("Tail: got %+v, %v; want sequence 1", e, err)
		}
		break
	}
}
