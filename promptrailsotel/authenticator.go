package promptrailsotel

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// counters are the counts of [promptrails.AuthenticatorStats] as metrics, with the
// prefix promptrails.authenticator.
var counters = []struct {
	name, unit, description string
	count                   func(*promptrails.AuthenticatorStats) uint64
}{
	{"hits", "{use}", "Uses of a key in the cache.", func(s *promptrails.AuthenticatorStats) uint64 { return s.Hits }},
	{"misses", "{use}", "Uses that required a verification.", func(s *promptrails.AuthenticatorStats) uint64 { return s.Misses }},
	{"stale_uses", "{use}", "Uses of a key after its TTL.", func(s *promptrails.AuthenticatorStats) uint64 { return s.StaleUses }},
	{"refusals", "{use}", "Uses that were refused.", func(s *promptrails.AuthenticatorStats) uint64 { return s.Refusals }},
	{"unavailable", "{use}", "Uses of keys that could not be verified.", func(s *promptrails.AuthenticatorStats) uint64 { return s.Unavailable }},
	{"rate_refusals", "{key}", "Keys that were not verified because of the rate of unknown keys.", func(s *promptrails.AuthenticatorStats) uint64 { return s.RateRefusals }},
	{"address_rate_refusals", "{key}", "Keys that were not verified because of the rate of unknown keys from their address.", func(s *promptrails.AuthenticatorStats) uint64 { return s.AddressRateRefusals }},
	{"verifications", "{verification}", "Verifications of keys.", func(s *promptrails.AuthenticatorStats) uint64 { return s.Verifications }},
	{"verification_failures", "{verification}", "Verifications that neither accepted nor rejected the key.", func(s *promptrails.AuthenticatorStats) uint64 { return s.VerificationFailures }},
}

// ObserveAuthenticator reports the counts of a as counters, for example
// promptrails.authenticator.hits, and the number of keys in its cache as
// promptrails.authenticator.cached_keys, until the returned registration is
// unregistered. It returns an error if a is nil or an instrument cannot be created.
func ObserveAuthenticator(a *promptrails.Authenticator, opts ...Option) (metric.Registration, error) {
	if a == nil {
		return nil, errors.New("promptrailsotel: the authenticator must not be nil")
	}
	c := newConfig(opts)
	meter := c.meter()
	var observed []metric.Observable
	var instruments []metric.Int64ObservableCounter
	for _, counter := range counters {
		instrument, err := meter.Int64ObservableCounter("promptrails.authenticator."+counter.name, metric.WithUnit(counter.unit), metric.WithDescription(counter.description))
		if err != nil {
			return nil, err
		}
		observed, instruments = append(observed, instrument), append(instruments, instrument)
	}
	cached, err := meter.Int64ObservableUpDownCounter("promptrails.authenticator.cached_keys", metric.WithUnit("{key}"), metric.WithDescription("Keys in the cache."))
	if err != nil {
		return nil, err
	}
	all := metric.WithAttributes(c.attributes...)
	state := func(s string) metric.ObserveOption {
		return metric.WithAttributes(append(slices.Clone(c.attributes), attribute.String("promptrails.key.state", s))...)
	}
	accepted, rejected := state("accepted"), state("rejected")
	return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		stats := a.Stats()
		for i, counter := range counters {
			o.ObserveInt64(instruments[i], int64(counter.count(&stats)), all) //nolint:gosec // a count of uses is less than 1<<63
		}
		o.ObserveInt64(cached, int64(stats.Accepted), accepted)
		o.ObserveInt64(cached, int64(stats.Rejected), rejected)
		return nil
	}, append(observed, cached)...)
}
