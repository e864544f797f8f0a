// A host that owns the socket: sends what `nextPart` says, over the JVM's own TLS, to the one certificate of the enrolment.

import java.io.IOException
import java.io.InputStream
import java.net.Socket
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import java.security.MessageDigest
import java.security.cert.CertificateException
import java.security.cert.X509Certificate
import java.time.Duration
import java.util.HexFormat
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLEngine
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.X509ExtendedTrustManager
import uniffi.fieldseal.*

private const val PIECE = 262_144u

/** No name and no authority is trusted: the key itself is known. */
private class Pinned(private val sha256: String) : X509ExtendedTrustManager() {
    private fun look(chain: Array<X509Certificate>) {
        val found = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(chain[0].publicKey.encoded))
        if (found != sha256) throw CertificateException("another key")
    }

    override fun checkServerTrusted(chain: Array<X509Certificate>, type: String) = look(chain)
    override fun checkServerTrusted(chain: Array<X509Certificate>, type: String, socket: Socket) = look(chain)
    override fun checkServerTrusted(chain: Array<X509Certificate>, type: String, engine: SSLEngine) = look(chain)
    override fun checkClientTrusted(chain: Array<X509Certificate>, type: String) = throw CertificateException()
    override fun checkClientTrusted(chain: Array<X509Certificate>, type: String, socket: Socket) = throw CertificateException()
    override fun checkClientTrusted(chain: Array<X509Certificate>, type: String, engine: SSLEngine) = throw CertificateException()
    override fun getAcceptedIssuers() = emptyArray<X509Certificate>()
}

/** The evidence, piece by piece as the socket takes it. */
private class Lent(private val session: SyncSession, private val id: ULong) : InputStream() {
    private var piece = ByteArray(0)
    private var at = 0
    private var offset = 0uL

    override fun read(): Int = throw UnsupportedOperationException()

    override fun read(out: ByteArray, from: Int, most: Int): Int {
        if (at == piece.size) {
            piece = session.lend(id, offset, PIECE)
            offset += piece.size.toULong()
            at = 0
            if (piece.isEmpty()) return -1
        }
        val count = minOf(most, piece.size - at)
        piece.copyInto(out, from, at, at + count)
        at += count
        return count
    }
}

class Wire(tlsSha256: String) {
    private val client: HttpClient = HttpClient.newBuilder()
        .sslContext(SSLContext.getInstance("TLS").apply { init(null, arrayOf(Pinned(tlsSha256)), null) })
        .followRedirects(HttpClient.Redirect.NEVER)
        .build()

    fun exchange(session: SyncSession, request: HttpRequest) {
        val body = when (val body = request.body) {
            is RequestBody.Empty -> BodyPublishers.noBody()
            is RequestBody.Bytes -> BodyPublishers.ofByteArray(body.bytes)
            is RequestBody.Evidence -> BodyPublishers.fromPublisher(
                BodyPublishers.ofInputStream { Lent(session, request.id) }, body.length.toLong(),
            )
        }
        val sending = java.net.http.HttpRequest.newBuilder(URI(request.url)).method(request.method, body)
            .timeout(Duration.ofMillis(60_000 + request.silenceMs.toLong()))
        request.headers.forEach { sending.header(it.name, it.value) }
        try {
            val answer = client.send(sending.build(), BodyHandlers.ofInputStream())
            val most = request.answerLimit.toInt()
            val read = answer.body().use { it.readNBytes(most + 1) }
            if (read.size > most) return session.failed(request.id, NoAnswerReason.TOO_LONG, "")
            val headers = answer.headers().map().flatMap { (name, values) -> values.map { Header(name, it) } }
            session.handle(request.id, HttpAnswer(answer.statusCode().toUShort(), headers, read))
        } catch (error: SSLHandshakeException) {
            session.failed(request.id, NoAnswerReason.WRONG_SERVER, "another certificate")
        } catch (error: IOException) {
            session.failed(request.id, NoAnswerReason.OFFLINE, error.toString())
        }
    }

    /** To its end; the report, and how many requests it took. */
    fun run(session: SyncSession): Pair<SyncReport, Int> {
        var requests = 0
        while (true) {
            when (val part = session.nextPart()) {
                is SyncPart.Done -> return part.report to requests
                is SyncPart.Wait -> Thread.sleep(part.ms.toLong())
                is SyncPart.Send -> {
                    requests += 1
                    exchange(session, part.request)
                }
            }
        }
    }
}
