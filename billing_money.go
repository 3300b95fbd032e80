package promptrails

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount in the minor unit of a currency: {4900, "USD"} is 49
// dollars. The zero Money is an amount of 0 without a currency.
type Money struct {
	Amount   int64  `json:"amount"`   // in minor units: cents of USD and EUR, yen of JPY
	Currency string `json:"currency"` // ISO 4217, in upper or lower case
}

// minorDigits lists the currencies whose minor unit is not a hundredth,
// according to ISO 4217 list one. The CLDR data in golang.org/x/text/currency
// differs: for example, it has no minor unit for IQD.
var minorDigits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// String formats the amount with its currency, for example USD 1,234.50.
func (m Money) String() string {
	if m == (Money{}) {
		return "0"
	}
	currency := strings.ToUpper(m.Currency)
	digits, ok := minorDigits[currency]
	if !ok {
		digits = 2
	}
	sign, amount := "", uint64(m.Amount) //nolint:gosec // negative amounts are negated below
	if m.Amount < 0 {
		sign, amount = "-", -amount
	}
	text := fmt.Sprintf("%0*d", digits+1, amount)
	whole, fraction := text[:len(text)-digits], text[len(text)-digits:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return strings.TrimSpace(currency + " " + sign + whole + fraction)
}

// Add returns m + n. The zero Money can be added to any currency. Add returns a
// [*ValidationError] if the currencies differ or the sum overflows.
func (m Money) Add(n Money) (Money, error) {
	switch {
	case n == (Money{}):
		return m, nil
	case m == (Money{}):
		return n, nil
	case !strings.EqualFold(m.Currency, n.Currency):
		return Money{}, invalid("currency", "must be "+strconv.Quote(m.Currency)+", not "+strconv.Quote(n.Currency))
	}
	sum := m.Amount + n.Amount
	if (sum > m.Amount) != (n.Amount > 0) && n.Amount != 0 {
		return Money{}, invalid("amount", "is out of range: the sum overflows int64")
	}
	return Money{sum, m.Currency}, nil
}

// Sub returns m - n. It returns the same errors as [Money.Add].
func (m Money) Sub(n Money) (Money, error) {
	if n.Amount != math.MinInt64 {
		n.Amount = -n.Amount
		return m.Add(n)
	}
	// -n overflows, but m + 1 - (n + 1) may not.
	n.Amount = math.MaxInt64
	if m.Amount == math.MaxInt64 {
		return Money{}, invalid("amount", "is out of range: the difference overflows int64")
	}
	m.Amount++
	return m.Add(n)
}

// Share returns m * part / whole, computed exactly and then rounded towards
// zero to the minor unit. It returns a [*ValidationError] if whole is 0 or the
// result overflows.
func (m Money) Share(part, whole int64) (Money, error) {
	if whole == 0 {
		return Money{}, invalid("whole", "must not be 0")
	}
	negative := (m.Amount < 0) != (part < 0) != (whole < 0)
	high, low := bits.Mul64(magnitude(m.Amount), magnitude(part))
	if high >= magnitude(whole) {
		return Money{}, invalid("amount", "is out of range: the share overflows int64")
	}
	share, _ := bits.Div64(high, low, magnitude(whole))
	limit := uint64(math.MaxInt64)
	if negative {
		limit++ // for math.MinInt64
	}
	if share > limit {
		return Money{}, invalid("amount", "is out of range: the share overflows int64")
	}
	if negative {
		share = -share
	}
	return Money{int64(share), m.Currency}, nil //nolint:gosec // two's complement
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n) //nolint:gosec // two's complement
	}
	return uint64(n)
}
