package masking

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

func isToken(b byte) bool { return isWord(b) || b == '_' || b == '-' }

// findJWT finds a signed token (RFC 7515, three parts) or an encrypted one (RFC
// 7516, five), whose header names its algorithm.
func findJWT(text string, at int) (start, end int) {
	if !strings.HasPrefix(text[at:], "eyJ") || at > 0 && isToken(text[at-1]) {
		return 0, 0
	}
	const most = 5
	var ends [most]int
	parts := 0
	for i := at; parts < most; parts++ {
		ends[parts] = run(text, i, len(text), isToken)
		if ends[parts] == len(text) || text[ends[parts]] != '.' {
			parts++
			break
		}
		i = ends[parts] + 1
	}
	var header struct {
		Algorithm  string `json:"alg"`
		Encryption string `json:"enc"`
	}
	if parts < 3 || !decodes(text[at:ends[0]], &header) || header.Algorithm == "" {
		return 0, 0
	}
	if header.Encryption != "" {
		return at, ends[4] // 0 where there are no five
	}
	if ends[1] == ends[0]+1 || header.Algorithm != "none" && ends[2] == ends[1]+1 {
		return 0, 0 // no payload, or no signature
	}
	return at, ends[2]
}

// decodes reads a part of a token as JSON.
func decodes(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

// awsPrefixes begin the identifiers of access keys: of users, of roles for a
// time, and of services.
var awsPrefixes = []string{"AKIA", "ASIA", "ABIA", "ACCA"}

// findAWSKey finds the identifier of an access key: a prefix and 16 upper-case
// letters and digits.
func findAWSKey(text string, at int) (start, end int) {
	const size = 20
	for _, prefix := range awsPrefixes {
		if strings.HasPrefix(text[at:], prefix) {
			if end = run(text, at, size+1, func(b byte) bool { return isDigit(b) || b-'A' < 26 }); end-at == size {
				return at, end
			}
		}
	}
	return 0, 0
}

// vendor is the form of a vendor's keys: a prefix, and so many characters behind
// it at least, with a digit among them. Names of things have none.
type vendor struct {
	prefix string
	least  int
}

// vendors are the forms by their first byte.
var vendors = parseVendors(`
	sk-          20  OpenAI, Anthropic, DeepSeek, OpenRouter
	sk_          40  ElevenLabs
	sk_live_     16  Stripe
	sk_test_     16  Stripe
	rk_live_     16  Stripe
	rk_test_     16  Stripe
	whsec_       24  Standard Webhooks
	ghp_         36  GitHub
	gho_         36  GitHub
	ghu_         36  GitHub
	ghs_         36  GitHub
	ghr_         36  GitHub
	github_pat_  22  GitHub
	glpat-       20  GitLab
	gldt-        20  GitLab
	glrt-        20  GitLab
	xoxa-        10  Slack
	xoxb-        10  Slack
	xoxp-        10  Slack
	xoxr-        10  Slack
	xoxs-        10  Slack
	xapp-        10  Slack
	AIza         35  Google
	SG.          40  SendGrid
	npm_         36  npm
	pypi-        16  PyPI
	dckr_pat_    20  Docker
	hf_          30  Hugging Face
	gsk_         20  Groq
	xai-         20  xAI
	r8_          30  Replicate
	pplx-        30  Perplexity
	fw_          20  Fireworks
	dop_v1_      64  DigitalOcean
	shpat_       32  Shopify
	shpss_       32  Shopify
	shpca_       32  Shopify
	lin_api_     32  Linear
	ntn_         40  Notion
	PMAK-        24  Postman
	dapi         32  Databricks
	sbp_         40  Supabase
	sq0atp-      22  Square
	sq0csp-      40  Square
	hvs.         24  Vault
	tskey-       16  Tailscale
	pr_live_     20  PromptRails
	pr_key_      20  PromptRails
	pat_         43  PromptRails
`)

// parseVendors reads lines of a prefix, a length, and whose it is.
func parseVendors(table string) (byFirst [256][]vendor) {
	for line := range strings.Lines(strings.TrimSpace(table)) {
		fields := strings.Fields(line)
		least, err := strconv.Atoi(fields[1])
		if err != nil {
			panic(err) // a fault of the table's
		}
		first := fields[0][0]
		byFirst[first] = append(byFirst[first], vendor{prefix: fields[0], least: least})
	}
	return byFirst
}

func apiKeyStarts() string {
	var starts []byte
	for b, some := range vendors {
		if len(some) > 0 {
			starts = append(starts, byte(b))
		}
	}
	return string(starts)
}

// findAPIKey finds a key of a known vendor's form.
func findAPIKey(text string, at int) (start, end int) {
	for _, v := range vendors[text[at]] {
		if !strings.HasPrefix(text[at:], v.prefix) || at > 0 && isToken(text[at-1]) {
			continue
		}
		begin := at + len(v.prefix)
		end = run(text, begin, len(text), isToken)
		if v.prefix == "SG." && end < len(text) && text[end] == '.' {
			end = run(text, end+1, len(text), isToken)
		}
		if end-begin >= v.least && strings.ContainsAny(text[begin:end], digits) {
			return at, end
		}
	}
	return 0, 0
}

const dashes = "-----"

// findPrivateKey finds a private key in PEM (RFC 7468, RFC 9580), with its first
// and last line.
func findPrivateKey(text string, at int) (start, end int) {
	label, rest, ok := strings.Cut(cutPrefix(text[at:], dashes+"BEGIN "), dashes)
	if !ok || len(label) > 64 || !strings.HasSuffix(strings.TrimSuffix(label, " BLOCK"), "PRIVATE KEY") {
		return 0, 0
	}
	body, _, ok := strings.Cut(rest, dashes)
	last := dashes + "END " + label + dashes
	if !ok || !strings.HasPrefix(rest[len(body):], last) || !isArmor(body) {
		return 0, 0
	}
	return at, at + len(dashes+"BEGIN ") + len(label) + len(dashes) + len(body) + len(last)
}

// cutPrefix returns what is behind a prefix; nothing where there is none.
func cutPrefix(s, prefix string) string {
	if !strings.HasPrefix(s, prefix) {
		return ""
	}
	return s[len(prefix):]
}

// isArmor reports whether the text between two lines of dashes can be a key:
// base64, with headers perhaps, and with lines that end as they may in JSON.
func isArmor(body string) bool {
	const least = 40
	n := 0
	for i := range len(body) {
		switch b := body[i]; {
		case isWord(b) || strings.IndexByte("+/=", b) >= 0:
			n++
		case strings.IndexByte(" \t\r\n\\:,.-()", b) < 0:
			return false
		}
	}
	return n >= least
}
