// SPDX-License-Identifier: Apache-2.0

// consumer: a receiver of webhooks as others write them. What it reads events with is not ours: the types of docker-registry itself
// (github.com/docker/distribution/notifications), which its consumers import, and the SDK of CloudEvents.
//
// It listens on the loopback, prints its port, and then a line of JSON for each event, in the order in which it accepted them: what it made of it. A
// request that is not to the letter as those say gets 400, and a line that says why: no member may be there that the types do not know.
//
// As image updaters do (Keel, by its documentation: /v1/webhooks/registry), it takes a push with a tag for a new version of the image
// HOST/REPOSITORY:TAG, and reads the manifest from the URL that the event has.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/distribution/reference"
	"github.com/docker/distribution/notifications"
	"github.com/opencontainers/go-digest"
)

type told struct {
	Kind       string `json:"kind"`
	ID         string `json:"id,omitempty"`
	Action     string `json:"action,omitempty"`
	Repository string `json:"repository,omitempty"`
	From       string `json:"from,omitempty"`
	Tag        string `json:"tag,omitempty"`
	Digest     string `json:"digest,omitempty"`
	Image      string `json:"image,omitempty"`
	Read       int    `json:"read,omitempty"`
	Why        string `json:"why,omitempty"`
}

var out = json.NewEncoder(os.Stdout)

// read gets what an event points to, and compares it with what the event says of it.
func read(e *notifications.Event) (int, error) {
	rq, err := http.NewRequest("GET", e.Target.URL, nil)
	if err != nil {
		return 0, err
	}
	rq.Header.Set("Accept", e.Target.MediaType)
	r, err := http.DefaultClient.Do(rq)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<22))
	if err != nil {
		return 0, err
	}
	if r.StatusCode != 200 {
		return 0, fmt.Errorf("%s: %s", e.Target.URL, r.Status)
	}
	if digest.FromBytes(body) != e.Target.Digest || int64(len(body)) != e.Target.Size || e.Target.Length != e.Target.Size {
		return 0, fmt.Errorf("%s: not what the event says", e.Target.URL)
	}
	return len(body), nil
}

func take(e *notifications.Event) (told, error) {
	t := told{Kind: "registry", ID: e.ID, Action: e.Action, Repository: e.Target.Repository, From: e.Target.FromRepository,
		Tag: e.Target.Tag, Digest: string(e.Target.Digest)}

	if e.ID == "" || e.Timestamp.IsZero() || e.Source.Addr == "" || e.Source.InstanceID == "" {
		return t, fmt.Errorf("no id, time or source")
	}
	switch e.Action {
	case notifications.EventActionPush, notifications.EventActionPull, notifications.EventActionMount:
		if err := e.Target.Digest.Validate(); err != nil {
			return t, err
		}
	case notifications.EventActionDelete:
	default: // what nobody knows is nobody's concern
		t.Kind = "passed over"
		return t, nil
	}
	if _, err := reference.WithName(e.Target.Repository); err != nil {
		return t, err
	}
	if e.Action != notifications.EventActionPush || e.Target.Tag == "" {
		return t, nil
	}
	image, err := reference.ParseNormalizedNamed(e.Request.Host + "/" + e.Target.Repository + ":" + e.Target.Tag)
	if err != nil {
		return t, err
	}
	t.Image = image.String()
	t.Read, err = read(e)
	return t, err
}

func registry(body []byte) ([]told, error) {
	var e notifications.Envelope
	var all []told
	d := json.NewDecoder(bytes.NewReader(body))

	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than an envelope")
	}
	if len(e.Events) == 0 {
		return nil, fmt.Errorf("no events")
	}
	for i := range e.Events {
		t, err := take(&e.Events[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Events[i].ID, err)
		}
		all = append(all, t)
	}
	return all, nil
}

func cloud(rq *http.Request) ([]told, error) {
	var all []told
	var events []cloudevents.Event
	var err error

	if strings.HasPrefix(rq.Header.Get("Content-Type"), cloudevents.ApplicationCloudEventsBatchJSON) {
		events, err = cehttp.NewEventsFromHTTPRequest(rq)
	} else {
		var one *cloudevents.Event
		if one, err = cehttp.NewEventFromHTTPRequest(rq); err == nil {
			events = []cloudevents.Event{*one}
		}
	}
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		var data struct{ Action, Repository, From, Tag, Digest, ID string }
		if err := e.Validate(); err != nil {
			return nil, err
		}
		if err := e.DataAs(&data); err != nil {
			return nil, err
		}
		if e.SpecVersion() != cloudevents.CloudEventsVersionV1 || data.ID != e.ID() || e.Type() != "registry.berth."+data.Action {
			return nil, fmt.Errorf("%s: not what its data says", e.ID())
		}
		all = append(all, told{Kind: "cloudevents", ID: e.ID(), Action: data.Action, Repository: data.Repository, From: data.From,
			Tag: data.Tag, Digest: data.Digest, Image: e.Source() + " " + e.Subject()})
	}
	return all, nil
}

func serve(w http.ResponseWriter, rq *http.Request) {
	var all []told
	var err error

	if rq.Header.Get("Content-Type") == notifications.EventsMediaType {
		var body []byte
		if body, err = io.ReadAll(io.LimitReader(rq.Body, 1<<22)); err == nil {
			all, err = registry(body)
		}
	} else {
		all, err = cloud(rq)
	}
	if err != nil {
		out.Encode(told{Kind: "refused", Why: rq.Header.Get("Content-Type") + ": " + err.Error()})
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, t := range all {
		out.Encode(t)
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	var one = make(chan bool, 1) // lines of one request stand together
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) {
		one <- true
		defer func() { <-one }()
		serve(w, rq)
	}))
}
