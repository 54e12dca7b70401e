package celery_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// works shows that a broker and a real worker understand each other: ping, a
// task and its result, and that a restored purge is run.
func works(t *testing.T, b *celery.Broker, side *redis.Client, queue string) {
	t.Helper()
	ctx := labtest.Context(t)
	side.Set(ctx, "go", 1, 0)
	if _, err := b.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if pong, err := b.PingWorkers(ctx); len(pong.Answered) != 1 || pong.Receivers != 1 || err != nil {
		t.Fatalf("%+v %v", pong, err)
	}
	if taken, known, err := b.Taken(ctx); !taken[queue] || !known || err != nil {
		t.Errorf("taken %v %v %v", taken, known, err)
	}
	sent := task(queue, 7, copyA, 1)
	publish(t, b, sent)
	eventually(t, func() bool { return state(t, b, sent.ID) == "SUCCESS" })
	eventually(t, func() bool { // it writes the result before it lets the task go
		held, err := b.Held(ctx)
		return len(held) == 0 && err == nil
	})
	if got, err := b.Orphans(ctx); len(got) != 0 || err != nil {
		t.Errorf("orphans: %v %v", got, err)
	}
}

func TestBrokerVariants(t *testing.T) {
	python(t)
	for name, tc := range map[string]struct {
		worker  workerOptions
		cfg     celery.Config
		path    string // of the broker's URL
		results string
		queue   string
	}{
		"database and user":  {path: "/3", results: "/5", worker: workerOptions{channel: "/3.celery.pidbox"}},
		"prefix":             {cfg: celery.Config{KeyPrefix: "exam:"}, worker: workerOptions{channel: "exam:/0.celery.pidbox", conf: options("global_keyprefix", "exam:")}},
		"no fanout prefix":   {cfg: celery.Config{FanoutPrefix: "False"}, worker: workerOptions{channel: "celery.pidbox", conf: options("fanout_prefix", false)}},
		"other fanout":       {path: "/2", cfg: celery.Config{FanoutPrefix: "/exam."}, worker: workerOptions{channel: "/exam.celery.pidbox", conf: options("fanout_prefix", "/exam.")}},
		"no patterns":        {cfg: celery.Config{PlainFanout: true}, worker: workerOptions{conf: options("fanout_patterns", false)}},
		"separator, steps":   {cfg: celery.Config{Sep: ":", Steps: []int{0, 5}}, queue: "notes", worker: workerOptions{args: []string{"-Q", "notes"}, conf: options("sep", ":", "priority_steps", []int{0, 5})}},
		"steps without zero": {cfg: celery.Config{Steps: []int{2, 8}}, worker: workerOptions{conf: options("priority_steps", []int{2, 8})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := labtest.Redis(t, lab.RedisOptions{TCP: true, ACL: []string{"user grading on >pa%ss ~* &* +@all"}})
			c := client(t, s)
			base := strings.Replace(strings.TrimSuffix(s.URL(), "/0"), "redis://", "redis://grading:pa%25ss@", 1)
			tc.worker.broker = base + or(tc.path, "/0")
			tc.cfg.BrokerURL = tc.worker.broker
			if tc.results != "" {
				tc.cfg.ResultURL = base + tc.results
				tc.worker.env = []string{"CELERY_RESULT_BACKEND=" + tc.cfg.ResultURL}
			}
			b := open(t, tc.cfg)
			startWorker(t, s, c, tc.worker)
			p := celery.NewProbe(b)
			works(t, b, c, or(tc.queue, "celery"))
			eventually(t, func() bool {
				workers := sample(t, p).Workers
				return len(workers) == 1 && !workers[0].LastBeat.IsZero()
			})
		})
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// options are transport options as the application sets them.
func options(pairs ...any) map[string]any {
	m := map[string]any{}
	for ; len(pairs) > 1; pairs = pairs[2:] {
		m[pairs[0].(string)] = pairs[1]
	}
	return map[string]any{"broker_transport_options": m}
}

// authority makes a CA and a server certificate for a host name, as files.
func authority(t *testing.T, host string) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca = write("ca.pem", "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)))
	cert = write("cert.pem", "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, rootKey)))
	key = write("key.pem", "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(leafKey)))
	return ca, cert, key
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestBrokerBehindTLS(t *testing.T) {
	python(t)
	ca, cert, key := authority(t, "localhost")
	other, _, _ := authority(t, "localhost")
	port := freePort(t)
	s := labtest.Redis(t, lab.RedisOptions{Config: []string{
		"tls-port " + port, "tls-cert-file " + cert, "tls-key-file " + key, "tls-ca-cert-file " + ca, "tls-auth-clients no",
	}})
	c := client(t, s)
	url := "rediss://localhost:" + port + "/0?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=" + ca
	startWorker(t, s, c, workerOptions{broker: url})
	works(t, open(t, celery.Config{BrokerURL: url}), c, "celery")
	for query, want := range map[string]string{
		"localhost ssl_cert_reqs=required&ssl_ca_certs=" + ca:                             "",
		"localhost ssl_cert_reqs=none":                                                    "",
		"localhost ssl_cert_reqs=CERT_NONE":                                               "",
		"127.0.0.1 ssl_cert_reqs=required&ssl_check_hostname=false&ssl_ca_certs=" + ca:    "",
		"127.0.0.1 ssl_cert_reqs=none&ssl_check_hostname=false":                           "",
		"localhost ssl_cert_reqs=required":                                                "not trusted",
		"localhost ssl_cert_reqs=required&ssl_ca_certs=" + other:                          "not trusted",
		"127.0.0.1 ssl_cert_reqs=required&ssl_ca_certs=" + ca:                             "not trusted",
		"127.0.0.1 ssl_cert_reqs=required&ssl_check_hostname=false&ssl_ca_certs=" + other: "not trusted",
	} {
		host, query, _ := strings.Cut(query, " ")
		_, err := open(t, celery.Config{BrokerURL: "rediss://" + host + ":" + port + "/0?" + query}).Ping(labtest.Context(t))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s: %v, want %q", host, query, err, want)
		}
	}
}

// sentinel starts a real Sentinel that watches a server under the name exam.
func sentinel(t *testing.T, s *lab.RedisServer) (addr string) {
	t.Helper()
	port := freePort(t)
	_, masterPort, _ := net.SplitHostPort(s.Options().Addr)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor exam 127.0.0.1 %s 1\n", port, masterPort)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := lab.Program("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr = "127.0.0.1:" + port
	asked := redis.NewSentinelClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = asked.Close() })
	eventually(t, func() bool {
		got, err := asked.GetMasterAddrByName(context.WithoutCancel(t.Context()), "exam").Result()
		return err == nil && len(got) == 2
	})
	return addr
}

// Both spellings of channels behind Sentinel are met: kombu 5.2 leaves {db} as
// it stands, and from 5.4 on it is the number.
func TestBrokerBehindSentinel(t *testing.T) {
	python(t)
	s := labtest.Redis(t, lab.RedisOptions{TCP: true})
	c := client(t, s)
	closed := freePort(t)
	url := "sentinel://" + sentinel(t, s) + "/1;sentinel://127.0.0.1:" + closed
	conf := options("master_name", "exam")
	conf["result_backend_transport_options"] = map[string]any{"master_name": "exam"}
	startWorker(t, s, c, workerOptions{broker: url, conf: conf, channel: "/{db}.celery.pidbox"})
	b := open(t, celery.Config{BrokerURL: url, MasterName: "exam"})
	works(t, b, c, "celery")
	p := celery.NewProbe(b)
	eventually(t, func() bool {
		workers := sample(t, p).Workers
		return len(workers) == 1 && !workers[0].LastBeat.IsZero()
	})

	fakes := labtest.Redis(t, lab.RedisOptions{TCP: true})
	newer := open(t, celery.Config{BrokerURL: "sentinel://" + sentinel(t, fakes), MasterName: "exam"})
	fakeWorker(t, client(t, fakes), "w9@a", map[string]any{"ping": map[string]string{"ok": "pong"}})
	if pong, err := newer.PingWorkers(labtest.Context(t)); len(pong.Answered) != 1 || err != nil {
		t.Errorf("with the number in the channel: %+v %v", pong, err)
	}
}

func TestSentinelThatKnowsNothing(t *testing.T) {
	s := labtest.Redis(t, lab.RedisOptions{TCP: true})
	addr := sentinel(t, s)
	for url, want := range map[string]string{
		"sentinel://" + addr:                       "other by Sentinel at " + addr,
		"sentinel://127.0.0.1:" + freePort(t):      "no Sentinel knows the master",
		"sentinel://:s3cr3t@" + addr + ";sentinel": "part 2",
		"sentinel://:s3cr3t@" + addr + "/x":        "not a number",
	} {
		b, err := celery.Open(celery.Config{BrokerURL: url, MasterName: "other"})
		if err == nil {
			_, err = b.Ping(labtest.Context(t))
			if closing := b.Close(); closing != nil {
				t.Error(closing)
			}
		}
		var e *probes.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || e.Next == "" || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if _, err := celery.Open(celery.Config{BrokerURL: "sentinel://" + addr}); err == nil || !strings.Contains(err.Error(), "master_name") {
		t.Errorf("without master_name: %v", err)
	}
}

func TestClusterIsRefused(t *testing.T) {
	s := labtest.Redis(t, lab.RedisOptions{TCP: true, Config: []string{"cluster-enabled yes"}})
	for _, url := range []string{s.URL(), strings.TrimSuffix(s.URL(), "/0") + "/1"} {
		b := open(t, celery.Config{BrokerURL: url})
		_, pinged := b.Ping(labtest.Context(t))
		_, sampled := celery.NewProbe(b).Sample(labtest.Context(t))
		for what, err := range map[string]error{"ping": pinged, "sample": sampled, "publish": b.Publish(labtest.Context(t), task("celery", 0))} {
			var e *probes.Error
			if !errors.As(err, &e) || !strings.Contains(e.Cause, "Redis Cluster") || !strings.Contains(e.Next, "single Redis server") {
				t.Errorf("%s at %s: %v", what, url, err)
			}
		}
	}
}
