package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/report"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const (
	coldStarts = 20
	coldGoal   = 20 * time.Millisecond
)

// measureCold starts processes that open a service in memory, and writes the median
// of their times.
func measureCold(ctx context.Context, w io.Writer) error {
	var took []time.Duration
	for range coldStarts {
		cmd, err := ownProcess(ctx, roleCold, "")
		if err != nil {
			return err
		}
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			return err
		}
		took = append(took, time.Duration(n))
	}
	t := report.Table{Columns: []string{"cold start in memory", "median", "slowest", "goal"}}
	t.Add(fmt.Sprintf("from embedded.Open to the first response, %d processes", coldStarts), duration(report.Median(took)), duration(slices.Max(took)), duration(coldGoal))
	return t.Print(w, "Cold start")
}

// playCold prints the nanoseconds from the opening of a service in memory to its
// first response.
func playCold(ctx context.Context) (err error) {
	began := time.Now()
	service, err := embedded.Open(ctx, config(""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	server := httptest.NewServer(service)
	defer server.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("got %s, want 200", response.Status)
	}
	_, err = fmt.Println(took.Nanoseconds())
	return err
}
