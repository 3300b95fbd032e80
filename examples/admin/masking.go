package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var maskingColumns = []column[promptrails.MaskingSettings]{
	{"ENABLED", func(s *promptrails.MaskingSettings) cell { return validity(&s.Enabled) }},
	text("DETECTORS", func(s *promptrails.MaskingSettings) string { return detectors(s.Detectors, true) }),
	text("OFF", func(s *promptrails.MaskingSettings) string { return detectors(s.Detectors, false) }),
	text("CHANGED", func(s *promptrails.MaskingSettings) string { return moment(s.UpdatedAt) }),
}

func detectors(all map[promptrails.Detector]bool, on bool) string {
	var names []string
	for _, detector := range slices.Sorted(maps.Keys(all)) {
		if all[detector] == on {
			names = append(names, string(detector))
		}
	}
	return strings.Join(names, ",")
}

func (a *app) masking() *cobra.Command {
	return group("masking", "Show, change and try data masking", a.getMasking(), a.setMasking(), a.previewMasking())
}

func (a *app) getMasking() *cobra.Command {
	return a.command("get", "Show the settings of data masking", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		settings, err := c.Masking.Get(ctx)
		if err != nil {
			return err
		}
		return show(a, settings, maskingColumns)
	})
}

func (a *app) setMasking() *cobra.Command {
	var enabled bool
	var on, off []string
	var cmd *cobra.Command
	cmd = a.command("set", "Turn data masking or detectors on or off", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		params := &promptrails.UpdateMaskingParams{}
		var changes []string
		if cmd.Flags().Changed("enabled") {
			params.Enabled = &enabled
			changes = append(changes, fmt.Sprintf("enabled %t", enabled))
		}
		for value, names := range map[bool][]string{true: on, false: off} {
			for _, name := range names {
				if params.Detectors == nil {
					params.Detectors = map[promptrails.Detector]bool{}
				}
				params.Detectors[promptrails.Detector(name)] = value
			}
		}
		if len(on) > 0 {
			changes = append(changes, strings.Join(on, ",")+" on")
		}
		if len(off) > 0 {
			changes = append(changes, strings.Join(off, ",")+" off")
		}
		return a.change("set data masking: "+strings.Join(changes, ", "), func() error {
			settings, err := c.Masking.Update(ctx, params)
			if err != nil {
				return err
			}
			return show(a, settings, maskingColumns)
		})
	})
	cmd.Flags().BoolVar(&enabled, "enabled", false, "mask personal data; --enabled=false turns it off")
	cmd.Flags().StringSliceVar(&on, "on", nil, "turn these `detectors` on, separated by commas")
	cmd.Flags().StringSliceVar(&off, "off", nil, "turn these `detectors` off")
	choices(cmd, "on", allDetectors...)
	choices(cmd, "off", allDetectors...)
	return requireAny(cmd, "enabled", "on", "off")
}

var allDetectors = []promptrails.Detector{
	promptrails.DetectorEmail, promptrails.DetectorPhone, promptrails.DetectorCreditCard, promptrails.DetectorIBAN, promptrails.DetectorUSSSN,
	promptrails.DetectorTCKimlik, promptrails.DetectorIPv4, promptrails.DetectorIPv6, promptrails.DetectorJWT, promptrails.DetectorAWSAccessKey,
	promptrails.DetectorAPIKey, promptrails.DetectorPrivateKey,
}

// maxText is the maximum size of a text that is masked, in bytes.
const maxText = 1 << 20

func (a *app) previewMasking() *cobra.Command {
	var file string
	cmd := a.command("preview", "Mask a text from stdin, without storing it", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		content, err := a.readFile(file, maxText)
		if err != nil {
			return err
		}
		preview, err := c.Masking.Preview(ctx, string(content), nil)
		if err != nil {
			return err
		}
		if a.json {
			return a.encode(preview)
		}
		_, err = fmt.Fprintln(a.stdout, strings.TrimSuffix(preview.Masked, "\n"))
		return err
	})
	cmd.Flags().StringVar(&file, "file", "-", "the `file` with the text, or - for stdin")
	return cmd
}
