package store

import (
	"slices"
	"testing"
)

// Each foreign key of the schema is a rule, or implied by one: a row that refers to a
// resource is in the workspace of the resource.
func TestRulesCoverForeignKeys(t *testing.T) {
	t.Parallel()
	var rules []string
	for _, r := range Rules() {
		if !r.IsLookup {
			rules = append(rules, r.Table+"."+r.order[len(r.order)-1]+" to "+r.To)
		}
	}
	keys := schema(t, opened(t, ""), `SELECT t.name || '.' || f."from" || ' to ' || f."table" FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) f
		WHERE t.type = 'table' AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(t.name) n WHERE n.id = f.id AND n.seq > f.seq)`)
	slices.Sort(rules)
	if !slices.Equal(rules, keys) {
		t.Errorf("rules: got\n%q\nwant the foreign keys\n%q", rules, keys)
	}
}
