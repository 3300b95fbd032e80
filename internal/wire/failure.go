package wire

import (
	"net/http"
	"strconv"
)

// WriteJSON writes a response whose body is JSON.
func WriteJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a closed connection is the client's concern
}

// WriteFailure writes an error response in the envelope of the API. Nil details
// are omitted.
func WriteFailure(w http.ResponseWriter, status int, code, message string, details any) {
	var envelope struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Details any    `json:"details,omitzero"`
		} `json:"error"`
	}
	envelope.Error.Code, envelope.Error.Message, envelope.Error.Details = code, message, details
	body, err := Encode(envelope)
	if err != nil { // the message or the details contain invalid UTF-8
		body = []byte(`{"error":{"code":"` + code + `","message":"invalid request"}}`)
	}
	WriteJSON(w, status, body)
}
