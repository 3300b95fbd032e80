package promptrails_test

import (
	"fmt"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// plainWords are words that plain English rarely needs, with the words to write
// instead. Each may be used as often as the standard library uses it, or in four of
// 10 000 lines.
var plainWords = []struct {
	instead string
	word    *regexp.Regexp
}{
	{"the thing as the subject", regexp.MustCompile(`(^|[.:;(] )(What|Who|Whoever|Whatever) [a-z][^?]*?(\.|$)`)},
	{"only", regexp.MustCompile(`\balone\b`)},
	{"again, from which, wrapped, next to, except", regexp.MustCompile(`\b(anew|whence|beneath|beside|save (that|for|where)|but for|thereof|likewise)\b`)},
	{"is", regexp.MustCompile(`\b(stands?|stood)\b`)},
	{"is notified, is reported, logs", regexp.MustCompile(`\b(tells?|told)\b`)},
	{"no one", regexp.MustCompile(`\bnobody\b`)},
	{"someone", regexp.MustCompile(`\bsomebody\b`)},
	{"response, returns", regexp.MustCompile(`\b[Aa]nswer(s|ed|ing)?\b`)},
	{"requires, accepts", regexp.MustCompile(`\bwants\b`)},
	{"clears, removes", regexp.MustCompile(`\blift(s|ed)?\b`)},
	{"after, following", regexp.MustCompile(`\bbehind\b`)},
	{"an invalid X", regexp.MustCompile(`\bthat (is|are) none\b`)},
	{"omitted", regexp.MustCompile(`\bleft out\b`)},
	{"nevertheless", regexp.MustCompile(`\ball the same\b`)},
}

// commonWords are common, and become mannered if they are frequent. Each may be used
// three times as often as in the standard library.
var commonWords = []struct {
	instead string
	word    *regexp.Regexp
}{
	{"the name of the thing", regexp.MustCompile(`\bwhat\b`)},
	{"reports, states", regexp.MustCompile(`\b(says?|said)\b`)},
	{"no X, empty, nil", regexp.MustCompile(`\bnone\b`)},
	{"no X", regexp.MustCompile(`\b[Nn]othing\b`)},
	{"the X of the Y", regexp.MustCompile(`\bwhose\b`)},
	{"expires, returns, is revoked", regexp.MustCompile(`\bends\b`)},
	{"after, when", regexp.MustCompile(`\bonce\b`)},
}

// Comments, Markdown and the API's description use the words of the standard library.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	std := filepath.Join(runtime.GOROOT(), "src") //nolint:staticcheck // the tree of the toolchain that runs the test
	reference := readProse(t, filepath.Join(std, "net", "http"), filepath.Join(std, "database", "sql"), filepath.Join(std, "log", "slog"))
	if reference.lines < 10_000 {
		t.Skipf("the source of the standard library is not here: %d comment lines in %s", reference.lines, std)
	}
	ours := readProse(t, ".")
	for _, w := range plainWords {
		check(t, ours, w.word, w.instead, max(0.4, reference.rate(w.word)))
	}
	for _, w := range commonWords {
		check(t, ours, w.word, w.instead, 3*reference.rate(w.word))
	}
}

func check(t *testing.T, ours *prose, word *regexp.Regexp, instead string, limit float64) {
	t.Helper()
	if got := ours.rate(word); got > limit {
		t.Errorf("%s: got %.2f in 1000 lines, want %.2f or less; write %q:\n%s", word, got, limit, instead, strings.Join(ours.uses(word), "\n"))
	}
}

// prose is the comments of Go files, and Markdown and YAML, by paragraph.
type prose struct {
	lines      int
	paragraphs []paragraph
}

type paragraph struct{ position, text string }

func (p *prose) add(position, text string) {
	p.lines += strings.Count(text, "\n")
	p.paragraphs = append(p.paragraphs, paragraph{position, strings.Join(strings.Fields(text), " ")})
}

// rate returns how often a word is used in 1000 lines.
func (p *prose) rate(word *regexp.Regexp) float64 {
	n := 0
	for _, paragraph := range p.paragraphs {
		n += len(word.FindAllString(paragraph.text, -1))
	}
	return 1000 * float64(n) / float64(p.lines)
}

func (p *prose) uses(word *regexp.Regexp) (found []string) {
	for _, paragraph := range p.paragraphs {
		if word.MatchString(paragraph.text) {
			found = append(found, paragraph.position+": "+paragraph.text)
		}
	}
	return found
}

// readProse reads the files in folders, without those of test data.
func readProse(t *testing.T, folders ...string) *prose {
	t.Helper()
	p := new(prose)
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && slices.Contains([]string{"testdata", ".git"}, entry.Name()):
				return filepath.SkipDir
			case strings.HasSuffix(path, ".go"):
				return p.readComments(path)
			case filepath.Ext(path) == ".md":
				return p.readText(path)
			case filepath.Base(path) == "openapi.yaml":
				return p.readDescriptions(path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *prose) readComments(path string) error {
	files := gotoken.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, group := range file.Comments {
		p.add(files.Position(group.Pos()).String(), group.Text())
	}
	return nil
}

func (p *prose) readText(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i, part := range strings.Split(string(text), "\n\n") {
		p.add(fmt.Sprintf("%s, paragraph %d", path, i+1), part+"\n")
	}
	return nil
}

// readDescriptions reads the summaries and descriptions of an OpenAPI document.
func (p *prose) readDescriptions(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		for i, child := range n.Content {
			if i > 0 && (n.Content[i-1].Value == "summary" || n.Content[i-1].Value == "description") && child.Kind == yaml.ScalarNode {
				p.add(fmt.Sprintf("%s:%d", path, child.Line), child.Value+"\n")
			}
			walk(child)
		}
	}
	walk(&document)
	return nil
}
