package promptrails

import "sync"

// growAfter is the number of pages of one size after which a larger size is
// tried again.
const growAfter = 8

// sizer determines the number of items that an iteration requests per page. It
// starts with the caller's limit and is smaller after a page exceeded
// [WithMaxResponseSize]. It is safe for concurrent use.
type sizer struct {
	mu   sync.Mutex
	max  int // the caller's limit
	now  int
	good int // number of pages that fit since now changed
}

func newSizer(limit int) *sizer { return &sizer{max: limit, now: limit} }

func (s *sizer) limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// upTo returns a sizer that starts at limit or the current size of s, whichever
// is smaller.
func (s *sizer) upTo(limit int) *sizer { return newSizer(min(limit, s.limit())) }

// shrink halves a size that was too large. It reports false if the size was one
// item.
func (s *sizer) shrink(tooLarge int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.good = min(s.now, max(1, tooLarge/2)), 0
	return tooLarge > 1
}

// grow counts a page that fit. It doubles the size after growAfter pages.
func (s *sizer) grow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good++; s.now < s.max && s.good >= growAfter {
		s.now, s.good = min(2*s.now, s.max), 0
	}
}
