/* tls_peer.c - see tls_peer.h. The child says by its exit code how many bytes it could read. */
#include "tests/unit/tls_peer.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/listen.h"

#define CHILD_LIFE_S 30

static void must(int ok)
{
        if (!ok)
                abort();
}

static X509 *self_signed(EVP_PKEY *key)
{
        X509 *cert = X509_new();
        must(cert != NULL && X509_set_version(cert, X509_VERSION_3));
        must(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
        must(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL);
        must(X509_gmtime_adj(X509_getm_notAfter(cert), 3600) != NULL);
        must(X509_set_pubkey(cert, key));
        X509_NAME *name = X509_get_subject_name(cert);
        must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"127.0.0.1", -1, -1,
                                        0));
        must(X509_set_issuer_name(cert, name));
        X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
        must(san != NULL && X509_add_ext(cert, san, -1));
        X509_EXTENSION_free(san);
        must(X509_sign(cert, key, EVP_sha256()) > 0);
        return cert;
}

static int serve(int listener)
{
        char request[100];
        EVP_PKEY *key = EVP_EC_gen("P-256");
        SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
        must(key != NULL && ctx != NULL);
        must(SSL_CTX_use_certificate(ctx, self_signed(key)) && SSL_CTX_use_PrivateKey(ctx, key));
        SSL *ssl = SSL_new(ctx);
        must(ssl != NULL && SSL_set_fd(ssl, accept(listener, NULL, NULL)));
        int n = SSL_accept(ssl) == 1 ? SSL_read(ssl, request, sizeof(request)) : 0;
        return n > 0 ? n : 0;
}

pid_t tls_peer_start(int *ret_port)
{
        int listener = -1;
        must(listen_open("127.0.0.1:0", &listener, NULL) == 0);
        *ret_port = listen_port(listener);
        pid_t pid = fork();
        must(pid >= 0);
        if (pid == 0) {
                alarm(CHILD_LIFE_S);
                must(fcntl(listener, F_SETFL, 0) == 0); /* here, accept() may wait */
                _exit(serve(listener));
        }
        close(listener);
        return pid;
}

int tls_peer_finish(pid_t pid)
{
        int status = 0;
        must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        return WEXITSTATUS(status);
}
