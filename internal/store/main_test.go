package store

import (
	"os"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}
