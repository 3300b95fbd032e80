package review

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// reviewer reads workspaces.
type reviewer struct {
	client   *promptrails.Client
	opts     Options
	sections []section
	gate     *gate
	now      func() time.Time
}

func newReviewer(client *promptrails.Client, opts *Options, sections func(*Options) []section) (*reviewer, error) {
	if client == nil {
		return nil, invalid("client", "must not be nil")
	}
	r := &reviewer{client: client, now: time.Now}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.Concurrency < 0 || r.opts.Concurrency > maxConcurrency {
		return nil, invalid("Concurrency", "must be 1 to 64, or 0 for the default")
	}
	if r.opts.Concurrency == 0 {
		r.opts.Concurrency = defaultConcurrency
	}
	if r.opts.Rules == nil {
		r.opts.Rules = DefaultRules()
	}
	if r.opts.Now != nil {
		r.now = r.opts.Now
	}
	if err := checkRules(r.opts.Rules); err != nil {
		return nil, err
	}
	if err := r.opts.Params.check(); err != nil {
		return nil, err
	}
	r.sections, r.gate = sections(&r.opts), newGate(r.opts.Concurrency)
	return r, nil
}

func invalid(field, problem string) error {
	return &promptrails.ValidationError{Fields: map[string]string{field: problem}}
}

// outcome is a workspace that was read, or the error that ends the review.
type outcome struct {
	workspace *Workspace
	err       error
}

// each reads the workspaces concurrently and yields them in the order of the
// list. At most Concurrency of them have been read, or are being read.
func (r *reviewer) each(ctx context.Context) iter.Seq2[*Workspace, error] {
	return func(yield func(*Workspace, error) bool) {
		progress := Progress{}
		if r.opts.Progress != nil {
			progress.Total = r.total(ctx)
		}
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		outcomes := make(chan chan outcome, r.opts.Concurrency-1)
		running.Go(func() {
			defer close(outcomes)
			r.start(ctx, outcomes, &running)
		})
		for next := range outcomes {
			o := <-next
			if o.err != nil {
				yield(nil, o.err)
				return
			}
			o.workspace.Findings = o.workspace.Check(r.opts.Rules, r.opts.Params)
			if progress.Done++; r.opts.Progress != nil {
				progress.Workspace = o.workspace
				r.opts.Progress(progress)
			}
			if !yield(o.workspace, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err) // the list is not complete
		}
	}
}

// start lists the workspaces and starts to read each of them, as soon as there is
// room in outcomes.
func (r *reviewer) start(ctx context.Context, outcomes chan<- chan outcome, running *sync.WaitGroup) {
	next, stop := iter.Pull2(r.client.Workspaces.All(ctx, nil, promptrails.WithPrefetch(0)))
	defer stop()
	for {
		var listed *promptrails.Workspace
		var more bool
		err := r.gate.once(ctx, func() (err error) {
			listed, err, more = next()
			return err
		})
		if err == nil && !more {
			return
		}
		result := make(chan outcome, 1)
		if err != nil {
			result <- outcome{err: err}
		}
		select {
		case outcomes <- result:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		running.Go(func() {
			w, err := r.read(ctx, listed)
			result <- outcome{w, err}
		})
	}
}

// total returns the number of workspaces, or 0 if it is not known.
func (r *reviewer) total(ctx context.Context) int {
	page, err := r.client.Workspaces.List(ctx, &promptrails.ListWorkspacesParams{ListOptions: promptrails.ListOptions{Limit: 1}})
	if err != nil {
		return 0 // the review reports the error
	}
	return page.Meta.Total
}

// read reads the sections of a workspace concurrently.
func (r *reviewer) read(ctx context.Context, listed *promptrails.Workspace) (*Workspace, error) {
	reading := &reading{gate: r.gate, client: r.client.InWorkspace(listed.ID), w: &Workspace{Info: *listed, ReadAt: r.now()}}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range r.sections {
		group.Go(func() error { return reading.section(ctx, s) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(reading.w.Gaps, func(a, b Gap) int {
		return slices.Index(sectionOrder, a.Section) - slices.Index(sectionOrder, b.Section)
	})
	return reading.w, nil
}

// reading is a workspace that is being read. Each section has its own fields of
// w; the gaps are guarded by mu.
type reading struct {
	gate   *gate
	client *promptrails.Client // in the workspace

	mu sync.Mutex
	w  *Workspace
}

// section reads a section and those that follow from it. It returns only errors
// that end the review.
func (x *reading) section(ctx context.Context, s section) error {
	err := x.gate.do(ctx, func() error { return s.read(ctx, x) })
	if err != nil {
		return x.gap(ctx, err, s.missing...)
	}
	if s.then == nil {
		return nil
	}
	return s.then(ctx, x)
}

// gap records sections that could not be read. It returns err if the following
// sections cannot be read either.
func (x *reading) gap(ctx context.Context, err error, missing ...Section) error {
	if ctx.Err() != nil || errors.Is(err, promptrails.ErrUnauthorized) {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, name := range missing {
		x.w.Gaps = append(x.w.Gaps, newGap(name, err))
	}
	return nil
}

// origin returns the scheme and host of a channel's URL. The rest is a secret
// that some servers may not remove.
func origin(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
