// Maskedmodel calls a model without sending personal data to its provider. It
// masks the prompt, and restores the original values in the streamed response.
//
//	go run ./examples/maskedmodel
//
// The model is a local server that repeats its prompt, a few bytes at a time. In
// your own program, get the settings from Masking.Get and call your provider.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/masking"
)

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Maskedmodel calls a model without sending personal data to its provider: it masks the
prompt, and restores the values in the response. The model is a server in the program.
It has no flags, and reads no environment variables.
`)
}

func main() {
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flag.Arg(0))
		usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	model := httptest.NewServer(http.HandlerFunc(serveModel))
	defer model.Close()

	masker := masking.New(&promptrails.MaskingSettings{Enabled: true})
	const prompt = "Write to grace@example.com and to ada@example.com, and call +1 415 555 0132. grace@example.com is first."
	masked, replaced := masker.Mask(prompt)
	if _, err := fmt.Fprintf(out, "prompt:              %s\nsent to provider:    %s\nrestored response:   ", prompt, masked); err != nil {
		return err
	}
	if err := ask(ctx, model.URL, masked, replaced.NewRestorer(out)); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	for _, detector := range slices.Sorted(maps.Keys(replaced.Counts())) {
		_, printErr := fmt.Fprintf(out, "masked:              %s, %d times\n", detector, replaced.Counts()[detector])
		err = errors.Join(err, printErr)
	}
	return err
}

// event is one part of a streamed response.
type event struct {
	Delta string `json:"delta"`
}

// ask sends a prompt to the model at url, and writes the response to w as it
// arrives. After a complete response it closes w, which flushes a placeholder
// that was cut off.
func ask(ctx context.Context, url, prompt string, w io.WriteCloser) error {
	body, err := json.Marshal(map[string]string{"prompt": prompt})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("calling the model: got status %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return err
		}
		if _, err := io.WriteString(w, e.Delta); err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), w.Close())
}

// serveModel is the model. It streams its prompt back as server-sent events, in
// parts so small that words and placeholders are split.
func serveModel(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Prompt string `json:"prompt"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, "the body must be JSON with a prompt", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	const size = 7 // bytes
	for piece := range slices.Chunk([]byte("I will: "+request.Prompt), size) {
		data, err := json.Marshal(event{Delta: string(piece)})
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
			return // the client disconnected
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
	}
}
