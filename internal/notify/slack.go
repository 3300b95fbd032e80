package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// The Block Kit types of a Slack message
// (https://api.slack.com/reference/block-kit/blocks).
type (
	slackPayload struct {
		Text   string       `json:"text"` // shown in push notifications
		Blocks []slackBlock `json:"blocks"`
	}
	slackBlock struct {
		Type     string      `json:"type"`
		Text     *slackText  `json:"text,omitzero"`     // of a header
		Fields   []slackText `json:"fields,omitzero"`   // of a section
		Elements []slackText `json:"elements,omitzero"` // of a context
	}
	slackText struct {
		Type string `json:"type"`
		Text string `json:"text"`
		// Verbatim prevents Slack from creating links and mentions from the text.
		Verbatim bool `json:"verbatim,omitzero"`
	}
)

// The limits of Slack.
const (
	maxSlackHeader = 150
	maxSlackField  = 2000
	maxSlackFields = 10
)

// slackTitles maps event types to titles.
var slackTitles = map[promptrails.EventType]string{
	promptrails.EventExecutionFailed:           "An execution failed",
	promptrails.EventExecutionAwaitingApproval: "An execution awaits approval",
	promptrails.EventUsageThreshold:            "A limit of the plan is nearly used up",
	promptrails.EventUsageLimitReached:         "A limit of the plan is reached",
	promptrails.EventPaymentFailed:             "A payment failed",
	promptrails.EventMemberJoined:              "A member joined",
	promptrails.EventMemberRemoved:             "A member was removed",
	promptrails.EventChannelTest:               "This channel works",
}

// slackMessage encodes an event as a Slack message with a title, the event's
// data, the workspace and the time.
func slackMessage(event []byte) ([]byte, error) {
	var e struct {
		Type        promptrails.EventType `json:"type"`
		Timestamp   time.Time             `json:"timestamp"`
		WorkspaceID string                `json:"workspace_id"`
		Data        jsontext.Value        `json:"data"`
	}
	if err := wire.Decode(event, &e); err != nil {
		return nil, err
	}
	title := slackTitles[e.Type]
	if title == "" {
		title = string(e.Type)
	}
	blocks := []slackBlock{{Type: "header", Text: &slackText{Type: "plain_text", Text: cut(title, maxSlackHeader)}}}
	if fields := slackFields(e.Data); len(fields) > 0 {
		blocks = append(blocks, slackBlock{Type: "section", Fields: fields})
	}
	where := fmt.Sprintf("%s in the workspace %s, %s", escape(string(e.Type)), escape(e.WorkspaceID), e.Timestamp.UTC().Format(time.RFC1123))
	blocks = append(blocks, slackBlock{Type: "context", Elements: []slackText{{Type: "mrkdwn", Text: where, Verbatim: true}}})
	return wire.Encode(slackPayload{Text: title, Blocks: blocks})
}

// slackFields returns the first 10 members of an event's data, in order.
func slackFields(data jsontext.Value) (fields []slackText) {
	_ = wire.EachMember(data, func(name string, _, value jsontext.Value) error {
		if len(fields) == maxSlackFields {
			return wire.ErrStop
		}
		label := escape(strings.ReplaceAll(name, "_", " "))
		text := string(value)
		if unquoted, err := jsontext.AppendUnquote(nil, value); err == nil {
			text = string(unquoted)
		}
		fields = append(fields, slackText{Type: "mrkdwn", Text: cut("*"+label+"*\n"+escape(text), maxSlackField), Verbatim: true})
		return nil
	})
	return fields
}

// escape escapes the characters that start a link, a mention or a channel.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// cut truncates s to at most maxRunes characters.
func cut(s string, maxRunes int) string {
	if utf8.RuneCountInString(s) <= maxRunes {
		return s
	}
	return string([]rune(s)[:maxRunes-1]) + "…"
}
