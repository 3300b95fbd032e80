package wire_test

import (
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

func TestIsExact(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"0": true, "-0": true, "0.1": true, "-1.50e1": true, "1E-7": true, "1e+3": true, "9007199254740992": true, "-9007199254740992": true,
		"9007199254740993": false, "9007199254740994": false, "-9007199254740994": false, "1e300": false, "1e999": false, "1e-400": false,
		"0.1000000000000000055": false, "1e99999999999": false,
	} {
		t.Run(number, func(t *testing.T) {
			t.Parallel()
			if got := wire.IsExact(number); got != want {
				t.Errorf("IsExact(%s): got %t, want %t", number, got, want)
			}
		})
	}
}
