package masking

import (
	"regexp"
	"strings"
)

// vendor is a format of API keys: a prefix, and a pattern for the rest.
type vendor struct {
	prefix string
	rest   *regexp.Regexp
}

// vendorForms are the formats of keys, one per line: the prefix, a pattern for the rest,
// and the vendor. In a pattern, <a> is a letter or digit, <t> is a letter, digit, hyphen
// or underscore, <h> is a lower-case hexadecimal digit, <u> is an upper-case letter or
// digit, and <l> is a lower-case letter or digit.
const vendorForms = `
	sk-          (?:<t>{20,})                            OpenAI, Anthropic, DeepSeek, OpenRouter, Langfuse
	sk_          (?:live_|test_|org_live_|org_test_)<t>{16,}  Stripe, Clerk, Paystack
	sk_          <h>{40,}                                ElevenLabs
	sk_          <a>{32,}                                Knock and others
	rk_          (?:live_|test_)<a>{16,}                 Stripe
	whsec_       [A-Za-z0-9+/=]{24,}                     Standard Webhooks, Stripe
	ghp_         <a>{36,}                                GitHub
	gho_         <a>{36,}                                GitHub
	ghu_         <a>{36,}                                GitHub
	ghs_         <a>{36,}                                GitHub
	ghr_         <a>{36,}                                GitHub
	github_pat_  \w{22,}                                 GitHub
	glpat-       <t>{20,}                                GitLab
	gldt-        <t>{20,}                                GitLab
	glrt-        <t>{20,}                                GitLab
	glrtr-       <t>{20,}                                GitLab
	glcbt-       <t>{20,}                                GitLab
	glptt-       <h>{40}                                 GitLab
	glft-        <t>{20,}                                GitLab
	glimt-       <t>{20,}                                GitLab
	glagent-     <t>{50,}                                GitLab
	gloas-       <t>{64,}                                GitLab
	glsoat-      <t>{20,}                                GitLab
	glffct-      <t>{20,}                                GitLab
	glwt-        <t>{20,}                                GitLab
	xoxa-        <t>{10,}                                Slack
	xoxb-        <t>{10,}                                Slack
	xoxc-        <t>{10,}                                Slack
	xoxd-        [\w%+/=-]{10,}                          Slack
	xoxe-        <t>{10,}                                Slack
	xoxe.xox     <t>{10,}                                Slack
	xoxp-        <t>{10,}                                Slack
	xoxo-        <t>{10,}                                Slack
	xoxr-        <t>{10,}                                Slack
	xoxs-        <t>{10,}                                Slack
	xapp-        <t>{10,}                                Slack
	xwfp-        <t>{10,}                                Slack
	https://hooks.slack.com/  (?:services|workflows|triggers)/[A-Za-z0-9+/]{40,}  Slack
	https://discord.com/api/webhooks/     \d+/<t>{60,}   Discord
	https://discordapp.com/api/webhooks/  \d+/<t>{60,}   Discord
	AIza         <t>{35}                                 Google
	GOCSPX-      <t>{20,}                                Google
	ya29.        <t>{20,}                                Google
	1//0         <t>{40,}                                Google
	SG.          <t>{16,}\.<t>{16,}                      SendGrid
	xkeysib-     <h>{64}-<a>{16}                         Brevo
	xsmtpsib-    <h>{64}-<a>{16}                         Brevo
	key-         <h>{32}                                 Mailgun
	pubkey-      <h>{32}                                 Mailgun
	re_          <a>{6,}_<a>{20,}                        Resend
	SK           <h>{32}                                 Twilio
	npm_         <a>{36,}                                npm
	pypi-        <t>{16,}                                PyPI
	rubygems_    <h>{48}                                 RubyGems
	cio          <a>{32}                                 crates.io
	CLOJARS_     <h>{60}                                 Clojars
	oy2          <l>{43}                                 NuGet
	dckr_pat_    <t>{20,}                                Docker
	dckr_oat_    <t>{20,}                                Docker
	hf_          <a>{30,}                                Hugging Face
	api_org_     <a>{30,}                                Hugging Face
	gsk_         <a>{40,}                                Groq
	xai-         <a>{40,}                                xAI
	r8_          <a>{30,}                                Replicate
	pplx-        <a>{30,}                                Perplexity
	fw_          <a>{20,}                                Fireworks
	csk-         <a>{40,}                                Cerebras
	nvapi-       <t>{40,}                                NVIDIA
	jina_        <a>{50,}                                Jina
	pa-          <t>{43}                                 Voyage
	tgp_v1_      <t>{40,}                                Together
	tvly-        (?:dev-|prod-)?<a>{20,}                 Tavily
	fc-          <h>{32}                                 Firecrawl
	lsv2_        (?:pt|sk)_<h>{32}_<h>{10}               LangSmith
	ls__         <h>{32}                                 LangSmith
	pk-lf-       <h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}     Langfuse
	pcsk_        <t>{40,}                                Pinecone
	e2b_         <h>{40}                                 E2B
	bb_live_     <t>{20,}                                Browserbase
	apify_api_   <a>{36}                                 Apify
	rpa_         <u>{40,}                                RunPod
	wandb_v1_    <t>{40,}                                Weights & Biases
	ak-          <a>{22}                                 Modal
	as-          <a>{22}                                 Modal
	gen_         <a>{40,}                                Genius and others
	dop_v1_      <h>{64}                                 DigitalOcean
	doo_v1_      <h>{64}                                 DigitalOcean
	dor_v1_      <h>{64}                                 DigitalOcean
	FlyV1        [ ](?:fm1[ar]|fm2|fo1)_[A-Za-z0-9+/=_,-]{40,}[A-Za-z0-9+/=_-]  Fly.io
	fm1r_        [A-Za-z0-9+/=_,-]{40,}[A-Za-z0-9+/=_-]  Fly.io
	fm2_         [A-Za-z0-9+/=_,-]{40,}[A-Za-z0-9+/=_-]  Fly.io
	xaat-        <h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}     Axiom
	xapt-        <h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}     Axiom
	MD           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord: prefixes of numbers in base64
	MT           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	Mj           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	Mz           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	ND           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	NT           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	Nj           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	Nz           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	OD           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	OT           <t>{22,24}\.<t>{6}\.<t>{27,}            Discord
	fo1_         <t>{40,}                                Fly.io
	HRKU-        <t>{30,}                                Heroku
	nfp_         <a>{36,}                                Netlify
	vcp_         <a>{20,}                                Vercel
	vck_         <a>{20,}                                Vercel
	rnd_         <a>{28,}                                Render
	pul-         <h>{40}                                 Pulumi
	hvs.         <t>{24,}                                Vault
	hvb.         <t>{24,}                                Vault
	hvr.         <t>{24,}                                Vault
	dp.          (?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,} Doppler
	ops_eyJ      [A-Za-z0-9+/=_-]{40,}                   1Password
	A3-          <u>{6}-(?:<u>{11}|<u>{6}-<u>{5})-<u>{5}-<u>{5}-<u>{5}  1Password
	tskey-       [a-z]+-<a>{8,}-?<a>*                    Tailscale
	AGE-SECRET-KEY-1  [QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}  age
	PMAK-        <h>{24}-<h>{34}                         Postman
	PMAT-        <u>{26}                                 Postman
	dapi         <h>{32}(?:-\d)?                         Databricks
	dose         <h>{32}                                 Databricks
	pscale_      (?:tkn|pw|oauth|pass)_[\w=.-]{32,}      PlanetScale
	sbp_         <h>{40}                                 Supabase
	sb_secret_   <t>{20,}                                Supabase
	napi_        <a>{40,}                                Neon
	CCDB1_       <a>{22}_<a>{40}                         CockroachDB
	mdb_sa_sk_   <t>{30,}                                MongoDB Atlas
	AKCp         <a>{60,}                                Artifactory
	glsa_        <a>{32}_<h>{8}                          Grafana
	glc_         [A-Za-z0-9+/=_-]{32,}                   Grafana
	eyJrIjoi     [A-Za-z0-9+/=]{60,}                     Grafana
	sntrys_      [A-Za-z0-9+/=_-]{40,}                   Sentry
	sntryu_      <h>{64}                                 Sentry
	phx_         <a>{30,}                                PostHog
	phc_         <a>{30,}                                PostHog
	phs_         <a>{30,}                                PostHog
	NRAK-        <u>{27}                                 New Relic
	NRII-        <t>{32}                                 New Relic
	NRJS-        <h>{19}                                 New Relic
	NRAA-        <h>{27}                                 New Relic
	dt0c01.      <u>{24}\.<u>{64}                        Dynatrace
	dt0s01.      <u>{8,24}\.<u>{64}                      Dynatrace
	dt0s16.      <u>{8,24}\.<u>{64}                      Dynatrace
	hcaik_       <a>{40,}                                Honeycomb
	hcaic_       <a>{40,}                                Honeycomb
	sqp_         <h>{40}                                 SonarQube
	squ_         <h>{40}                                 SonarQube
	sqa_         <h>{40}                                 SonarQube
	snyk_        (?:uat|sat)\.<t>{8}\.[\w.-]{40,}        Snyk
	bkua_        <h>{40}                                 Buildkite
	CCIPAT_      <a>{20,}_<h>{40}                        CircleCI
	CCIPRJ_      <a>{20,}_<h>{40}                        CircleCI
	sgp_         <t>{40,}                                Sourcegraph, Segment
	API-         <u>{26}                                 Octopus Deploy
	ATATT3       [A-Za-z0-9_=-]{60,}                     Atlassian
	ATCTT3       [A-Za-z0-9_=-]{60,}                     Atlassian
	ATBB         <a>{32}                                 Bitbucket
	ATTA         <a>{60,}                                Trello
	lin_api_     <a>{32,}                                Linear
	lin_oauth_   <a>{32,}                                Linear
	ntn_         <a>{40,}                                Notion
	secret_      <a>{40,}                                Notion
	pat          <a>{14}\.<h>{64}                        Airtable
	pat-         (?:na|eu)\d-<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}  HubSpot
	figd_        <t>{36,}                                Figma
	figo_        <t>{36,}                                Figma
	CFPAT-       <t>{43}                                 Contentful
	rdme_        <l>{70}                                 ReadMe
	tfp_         <t>{40,}                                Typeform
	pk_          \d{6,}_<u>{32}                          ClickUp
	shpat_       <h>{32}                                 Shopify
	shpss_       <h>{32}                                 Shopify
	shpca_       <h>{32}                                 Shopify
	shppa_       <h>{32}                                 Shopify
	sq0atp-      <t>{22}                                 Square
	sq0csp-      <t>{40,}                                Square
	EAAA         <t>{56,}                                Square
	EAA          <a>{100,}                               Meta
	FLWSECK      (?:_TEST)?-<a>{12,}(?:-X)?              Flutterwave
	rzp_         (?:live|test)_<a>{14}                   Razorpay
	access-      (?:production|sandbox|development)-<h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}  Plaid
	shippo_      (?:live|test)_<h>{40}                   Shippo
	duffel_      (?:live|test)_<t>{43}                   Duffel
	EZAK         <a>{54}                                 EasyPost
	EZTK         <a>{54}                                 EasyPost
	sk.eyJ       [\w.-]{40,}                             Mapbox
	LTAI         <a>{17,21}                              Alibaba Cloud
	AKID         <a>{32,}                                Tencent Cloud
	AQVN         <t>{35,}                                Yandex Cloud
	SCW          <u>{17}                                 Scaleway
	v1.0-        <h>{24}-<h>{146}                        Cloudflare
	sdk-         <h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}     LaunchDarkly
	api-         <h>{8}-<h>{4}-<h>{4}-<h>{4}-<h>{12}     LaunchDarkly
	pnu_         <a>{36}                                 Prefect
	ddp_         <a>{36}                                 Deno
	zpka_        <a>{32}_<h>{8}                          Zuplo
	cal_live_    <h>{32}                                 Cal.com
	unkey_       <a>{20,}                                Unkey
	secret-      (?:live|test)-<t>{30,}                  Stytch
	pr_live_     <a>{20,}                                PromptRails
	pr_key_      <a>{20,}                                PromptRails
	pat_         <a>{43}                                 PromptRails
	inv_         <a>{43}                                 PromptRails
	trg_         <a>{43}                                 PromptRails
`

// vendors are the formats by the first byte of their prefix.
var vendors = parseVendors(vendorForms)

// vendorSeconds is the set of pairs of bytes that start a prefix. It excludes most words
// quickly.
var vendorSeconds = func() (seconds [256][256]bool) {
	for first, some := range vendors {
		for _, v := range some {
			seconds[first][v.prefix[1]] = true
		}
	}
	return seconds
}()

func parseVendors(table string) (byFirst [256][]vendor) {
	classes := strings.NewReplacer("<a>", "[A-Za-z0-9]", "<t>", "[A-Za-z0-9_-]", "<h>", "[0-9a-f]", "<u>", "[A-Z0-9]", "<l>", "[a-z0-9]")
	for line := range strings.Lines(strings.TrimSpace(table)) {
		fields := strings.Fields(strings.ReplaceAll(line, "[ ]", `\x20`))
		first := fields[0][0]
		byFirst[first] = append(byFirst[first], vendor{prefix: fields[0], rest: regexp.MustCompile("^(?:" + classes.Replace(fields[1]) + ")")})
	}
	return byFirst
}

// otherMarks are the marks of keys without a prefix (Telegram, Mailchimp and Terraform),
// and of assignments to a name such as CLIENT_SECRET.
const otherMarks = ":-.="

func apiKeyMarks() string {
	marks := []byte(otherMarks)
	for b, some := range vendors {
		if len(some) > 0 && strings.IndexByte(otherMarks, byte(b)) < 0 {
			marks = append(marks, byte(b))
		}
	}
	return string(marks)
}

// maxKey is the maximum length of a key, in bytes.
const maxKey = 2048

// findAPIKey finds a key in a known format.
func findAPIKey(text string, at int) (start, end int) {
	switch text[at] {
	case '-':
		return findMailchimp(text, at)
	case '.':
		return findTerraform(text, at)
	case ':':
		if start, end = findTelegram(text, at); end > start {
			return start, end
		}
		return findAssigned(text, at)
	case '=':
		if start, end = findSignature(text, at); end > start {
			return start, end
		}
		return findAssigned(text, at)
	}
	if at+1 == len(text) || !vendorSeconds[text[at]][text[at+1]] || !beginsToken(text, at) {
		return 0, 0
	}
	for _, v := range vendors[text[at]] {
		if !strings.HasPrefix(text[at:], v.prefix) {
			continue
		}
		begin := at + len(v.prefix)
		match := v.rest.FindStringIndex(text[begin:min(len(text), begin+maxKey)])
		if match == nil {
			continue
		}
		end = begin + match[1]
		if endsWord(text, end) && isRandom(text[begin:end], minRandom) {
			return at, end
		}
	}
	return 0, 0
}

// minRandom is the length of a random part that distinguishes a key from a name.
const minRandom = 12

// isRandom reports whether a text contains a part that cannot be a name. That is a run of
// at least limit letters and digits that often changes between upper case, lower case
// and digits. If limit is minRandom, a shorter run, or all runs joined, also counts if
// it contains all three classes.
func isRandom(text string, limit int) bool {
	const minMixed = 8
	for i := 0; i < len(text); {
		end := run(text, i, len(text), isWord)
		part := text[i:end]
		if len(part) >= limit && turns(part) >= len(part)/8 ||
			len(part) >= minMixed && limit == minRandom && turns(part) > 1 && strings.ContainsAny(part, digits) && strings.ContainsAny(part, upper) && strings.ContainsAny(part, lower) {
			return true
		}
		i = max(end, i+1)
	}
	joined := strings.NewReplacer("-", "", "_", "").Replace(text)
	return limit == minRandom && turns(joined) >= len(joined)/5 && strings.ContainsAny(joined, digits) && strings.ContainsAny(joined, upper) && strings.ContainsAny(joined, lower)
}

// turns counts the changes between lower case, upper case and digits in a word. A change
// from upper to lower case does not count, so that capitalized words do not.
func turns(word string) (n int) {
	class := func(b byte) int {
		switch {
		case isDigit(b):
			return 0
		case b >= 'a':
			return 1
		default:
			return 2
		}
	}
	for i := 1; i < len(word); i++ {
		was, is := class(word[i-1]), class(word[i])
		if was != is && (was != 2 || is != 1) {
			n++
		}
	}
	return n
}

// findMailchimp finds a Mailchimp key: 32 hexadecimal digits and a data center such as
// -us12.
func findMailchimp(text string, at int) (start, end int) {
	if !strings.HasPrefix(text[at:], "-us") {
		return 0, 0
	}
	end = run(text, at+len("-us"), 3, isDigit)
	start = at
	for start > 0 && at-start < 32 && isHex(text[start-1]) {
		start--
	}
	if at-start != 32 || !beginsToken(text, start) || end == at+len("-us") || !endsWord(text, end) || !isRandom(text[start:at], 32) {
		return 0, 0
	}
	return start, end
}

// findTerraform finds a Terraform Cloud token by its middle part.
func findTerraform(text string, at int) (start, end int) {
	const middle = ".atlasv1."
	if !strings.HasPrefix(text[at:], middle) {
		return 0, 0
	}
	start = at
	for start > 0 && at-start < 14 && isWord(text[start-1]) {
		start--
	}
	end = run(text, at+len(middle), maxKey, isToken)
	if at-start != 14 || end-at < 60 || !beginsToken(text, start) {
		return 0, 0
	}
	return start, end
}

// findTelegram finds a Telegram bot token: the number of the bot, a colon and 35
// characters.
func findTelegram(text string, at int) (start, end int) {
	if !strings.HasPrefix(text[at:], ":AA") {
		return 0, 0
	}
	start = at
	for start > 0 && at-start <= 10 && isDigit(text[start-1]) {
		start--
	}
	end = run(text, at+1, 36, isToken)
	if at-start < 8 || at-start > 10 || end-at-1 != 35 || !beginsWord(text, start) {
		return 0, 0
	}
	return start, end
}

// secretNames are the endings of the names of secret fields.
var secretNames = []string{"secret", "token", "apikey", "accesskey", "secretkey", "authkey", "accountkey", "signingkey", "clientsecret", "secretaccesskey"}

// otherNames are parts of names that end like a secret field but are not secret.
var otherNames = []string{"page", "next", "continuation", "cursor", "sync", "max", "min", "total", "prompt", "completion"}

// findSignature finds the signature of an Azure Storage shared access URL.
func findSignature(text string, at int) (start, end int) {
	const size = 43 // 256 bits in base64, without padding
	if !strings.HasSuffix(text[:at], "sig") || !beginsWord(text, at-len("sig")) {
		return 0, 0
	}
	start = at + 1
	n := 0
	for end = start; end < len(text) && n < size; n++ {
		switch {
		case text[end] == '%' && end+2 < len(text) && isHex(text[end+1]) && isHex(text[end+2]):
			end += len("%2B")
		case isBase64(text[end]):
			end++
		default:
			return 0, 0
		}
	}
	for _, padding := range []string{"=", "%3D", "%3d"} {
		if n == size && strings.HasPrefix(text[end:], padding) {
			return start, end + len(padding)
		}
	}
	return 0, 0
}

// findAssigned finds the value of a field with the name of a secret, such as
// CLIENT_SECRET. The value must look random.
func findAssigned(text string, at int) (start, end int) {
	if !namesSecret(text, at) {
		return 0, 0
	}
	start = at + 1
	for start < len(text) && start-at < 4 && strings.IndexByte(" \"'", text[start]) >= 0 {
		start++
	}
	end = run(text, start, maxKey, func(b byte) bool { return isToken(b) || strings.IndexByte("+/=.~", b) >= 0 })
	for end > start && strings.IndexByte(".=", text[end-1]) >= 0 && (end == len(text) || text[end-1] == '.') {
		end--
	}
	const minValue = 20
	if value := text[start:end]; len(value) < minValue || value[0] == '/' || strings.HasPrefix(value, "eyJ") && strings.Contains(value, ".") || !looksSecret(value) {
		return 0, 0
	}
	return start, end
}

// looksSecret reports whether a value looks random rather than like a name.
func looksSecret(value string) bool {
	return strings.ContainsAny(value, digits) && isRandom(strings.NewReplacer("+", "", "/", "", "~", "").Replace(value), minRandom)
}

// namesSecret reports whether the name before the assignment operator at offset at is
// that of a secret.
func namesSecret(text string, at int) bool {
	const longest = 48
	if at == 0 || isDigit(text[at-1]) {
		return false // a time, for example
	}
	end := at
	for end > 0 && at-end < 3 && strings.IndexByte(" \"'", text[end-1]) >= 0 {
		end--
	}
	begin := end
	for begin > 0 && end-begin < longest && (isToken(text[begin-1]) || text[begin-1] == '.') {
		begin--
	}
	if end-begin < len("token") {
		return false
	}
	switch ending := text[end-3 : end]; { // fail fast for most names
	case strings.EqualFold(ending, "ret"), strings.EqualFold(ending, "ken"), strings.EqualFold(ending, "key"):
	default:
		return false
	}
	name := strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(text[begin:end]))
	for _, other := range otherNames {
		if strings.Contains(name, other) {
			return false
		}
	}
	for _, secret := range secretNames {
		if strings.HasSuffix(name, secret) {
			return true
		}
	}
	return false
}
