package benchmarks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/masking"
)

const prose = `The workspace is the top-level container: every agent, prompt and data source belongs to exactly one of them, and nothing in
one can be seen or used from another. On 12 March 2026, at 14:35:07, build 1.24.3 served 1,284,511 requests in 3.5 hours (p99: 84 ms);
the 2nd region had 99.98 % of them. "Why not 100 %?" she asked - half in jest - and he said: because of #4711, see section 3.2.1.
`

const logs = `2026-03-12T14:35:07.123456Z INFO request route="GET /members/{id}" status=200 duration=1.284ms request_id=3Ma7m40YDe4X1BCewbWfJOf2XCN
2026-03-12T14:35:07.223456Z DEBUG cache hit=true key=9f86d081884c7d659a2feaa0c55ad015 size=1048576 shard=12/64 ratio=0.984
`

// BenchmarkMasking masks a megabyte without a match. The floor reads each byte.
func BenchmarkMasking(b *testing.B) {
	for name, text := range map[string]string{"prose": prose, "logs": logs} {
		text = strings.Repeat(text, 1<<20/len(text))
		m := masking.New(nil)
		if _, r := m.Mask(text); len(r.Matches()) != 0 {
			b.Fatalf("got the match %+v, want no matches", r.Matches()[0])
		}
		b.Run(name+"/floor", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			sum := 0
			for b.Loop() {
				for i := range len(text) {
					if text[i] == '@' {
						sum++
					}
				}
			}
			if sum != 0 {
				b.Fatalf("got %d at signs, want 0", sum)
			}
		})
		b.Run(name+"/masked", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.Mask(text)
			}
		})
	}
}

// BenchmarkMaskingHostile masks texts that are expensive for the detectors. The
// throughput does not depend on the length of the text.
func BenchmarkMaskingHostile(b *testing.B) {
	for _, part := range []string{
		"@", "a@", "a.", "a.b@", "a@b.", "1", "1.", "1-", "1 ", "4111 ", "+1 ", "(", ":", "f:", "::1 ", "eyJ", "eyJ.", "eyJhbGciOiJIUzI1NiJ9.", "-", "-----BEGIN PRIVATE KEY-----", "sk-", "SG.", "DE89 ", "AKIA ", "é@",
	} {
		for _, size := range []int{1 << 16, 1 << 20} {
			text := strings.Repeat(part, size/len(part))
			b.Run(fmt.Sprintf("%q/%d KiB", part, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				m := masking.New(nil)
				for b.Loop() {
					m.Mask(text)
				}
			})
		}
	}
}

// BenchmarkMaskingManyValues masks and restores texts in which every word is a value.
// The throughput does not depend on the length of the text.
func BenchmarkMaskingManyValues(b *testing.B) {
	for _, n := range []int{1 << 12, 1 << 16} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "u%d@example.com [PII_EMAIL_%08x] ", i, i)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			m := masking.New(nil)
			for b.Loop() {
				if masked, r := m.Mask(text.String()); r.Restore(masked) != text.String() {
					b.Fatal("Restore: got a different text, want the original text")
				}
			}
		})
	}
}
