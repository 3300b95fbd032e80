package masking_test

import (
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/promptrails-community/promptrails-go/masking"
)

func Example() {
	masker := masking.New(nil) // or the settings that Masking.Get returns
	masked, replaced := masker.Mask("Write to grace@example.com.")
	fmt.Println(regexp.MustCompile(`[0-9a-f]{8}`).ReplaceAllString(masked, "…"))

	// A model can stream its output in pieces that split a placeholder.
	output := replaced.NewRestorer(os.Stdout)
	for _, piece := range []string{"I wrote: " + masked[:15], masked[15:]} {
		if _, err := io.WriteString(output, piece); err != nil {
			fmt.Println(err)
		}
	}
	if err := output.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Write to [PII_EMAIL_…].
	// I wrote: Write to grace@example.com.
}
