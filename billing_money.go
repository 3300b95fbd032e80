package promptrails

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount of a currency in its minor unit: {4900, "USD"} is 49
// dollars. The zero Money is no amount of no currency.
type Money struct {
	Amount   int64  `json:"amount"`   // in minor units: cents of USD and EUR, yen of JPY
	Currency string `json:"currency"` // ISO 4217, in upper or lower case
}

// minorDigits are the currencies whose minor unit is not a hundredth (ISO 4217,
// list one). The CLDR, and so golang.org/x/text/currency, differs from it: it has
// no minor unit for IQD, for example.
var minorDigits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// String returns the amount as a person writes it, as in USD 1,234.50.
func (m Money) String() string {
	if m == (Money{}) {
		return "0"
	}
	currency := strings.ToUpper(m.Currency)
	digits, ok := minorDigits[currency]
	if !ok {
		digits = 2
	}
	sign, amount := "", uint64(m.Amount) //nolint:gosec // a negative one is turned over below
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

// Add returns the sum. The zero Money adds to any other. Two currencies, and a
// sum that does not fit, are a [*ValidationError].
func (m Money) Add(n Money) (Money, error) {
	switch {
	case n == (Money{}):
		return m, nil
	case m == (Money{}):
		return n, nil
	case !strings.EqualFold(m.Currency, n.Currency):
		return Money{}, invalid("currency", "is "+strconv.Quote(n.Currency)+", which does not add to "+strconv.Quote(m.Currency))
	}
	sum := m.Amount + n.Amount
	if (sum > m.Amount) != (n.Amount > 0) && n.Amount != 0 {
		return Money{}, invalid("amount", "does not fit: the sum has more than 63 bits")
	}
	return Money{sum, m.Currency}, nil
}

// Sub returns the difference, with the errors of [Money.Add].
func (m Money) Sub(n Money) (Money, error) {
	if n.Amount == math.MinInt64 {
		return Money{}, invalid("amount", "does not fit: the difference has more than 63 bits")
	}
	n.Amount = -n.Amount
	return m.Add(n)
}

// Share returns the part/whole of an amount, rounded towards zero to the minor
// unit, and exact before that. A part of nothing, and a share that does not
// fit, are a [*ValidationError].
func (m Money) Share(part, whole int64) (Money, error) {
	if whole == 0 {
		return Money{}, invalid("whole", "must not be 0")
	}
	negative := (m.Amount < 0) != (part < 0) != (whole < 0)
	high, low := bits.Mul64(magnitude(m.Amount), magnitude(part))
	if high >= magnitude(whole) {
		return Money{}, invalid("amount", "does not fit: the share has more than 63 bits")
	}
	share, _ := bits.Div64(high, low, magnitude(whole))
	if share > math.MaxInt64 {
		return Money{}, invalid("amount", "does not fit: the share has more than 63 bits")
	}
	if negative {
		return Money{-int64(share), m.Currency}, nil
	}
	return Money{int64(share), m.Currency}, nil
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n) //nolint:gosec // two's complement
	}
	return uint64(n)
}
