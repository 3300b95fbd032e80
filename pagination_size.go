package promptrails

import "sync"

// growAfter is how many pages of one size are read before a larger one is tried
// again.
const growAfter = 8

// sizer is the size of the pages that an iteration asks for: the caller's, or a
// smaller one after a page was larger than [WithMaxResponseSize] allows. It is
// safe for concurrent use.
type sizer struct {
	mu   sync.Mutex
	most int // the caller's
	now  int
	good int // pages of the size now
}

func newSizer(limit int) *sizer { return &sizer{most: limit, now: limit} }

func (s *sizer) limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// upTo returns a sizer for pages of at most limit items, not larger than those
// in use now.
func (s *sizer) upTo(limit int) *sizer { return newSizer(min(limit, s.limit())) }

// shrink halves a size that was too large. It reports false for a page of one
// item.
func (s *sizer) shrink(tooLarge int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.good = min(s.now, max(1, tooLarge/2)), 0
	return tooLarge > 1
}

// grow counts a page that fit, and doubles the size after enough of them.
func (s *sizer) grow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good++; s.now < s.most && s.good >= growAfter {
		s.now, s.good = min(2*s.now, s.most), 0
	}
}
