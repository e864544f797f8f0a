// What the app gives: a clock, a key store, sources of bytes, listeners. The key store stands in for Android Keystore: it holds
// a P-256 key that never leaves it, in a file so that it outlives a crash as a chip does.

import java.io.File
import java.security.KeyFactory
import java.security.KeyPairGenerator
import java.security.MessageDigest
import java.security.SecureRandom
import java.security.Signature
import java.security.spec.ECGenParameterSpec
import java.security.spec.PKCS8EncodedKeySpec
import java.util.HexFormat
import java.util.Properties
import kotlin.math.min
import uniffi.fieldseal.*

/** The system's clocks; `broken` makes it throw. */
class Clock : HostClock {
    var broken = false

    override fun now(): ClockReading {
        check(!broken) { "the clock chip does not answer" }
        return ClockReading(
            wallMs = System.currentTimeMillis().toULong(),
            boot = File("/proc/sys/kernel/random/boot_id").readText().trim(),
            monotonicMs = (System.nanoTime() / 1_000_000).toULong(),
            byHand = false,
        )
    }
}

/** Signs inside; `refuses` is a user who does not put the finger on the sensor. */
class Chip(private val file: File) : HostKeys {
    var refuses = false
    var signed = 0

    private fun held() = Properties().apply { if (file.exists()) file.reader().use(::load) }

    private fun keep(held: Properties) = file.writer().use { held.store(it, null) }

    @Synchronized
    override fun deviceSecret(): ByteArray {
        val held = held()
        val secret = held.getOrPut("secret") {
            HexFormat.of().formatHex(ByteArray(32).also(SecureRandom()::nextBytes))
        }
        keep(held)
        return HexFormat.of().parseHex(secret as String)
    }

    @Synchronized
    override fun publicKey(name: String): ByteArray {
        val held = held()
        if (!held.containsKey("$name.public")) {
            val pair = KeyPairGenerator.getInstance("EC").apply { initialize(ECGenParameterSpec("secp256r1")) }.generateKeyPair()
            held["$name.public"] = HexFormat.of().formatHex(pair.public.encoded)
            held["$name.private"] = HexFormat.of().formatHex(pair.private.encoded)
            keep(held)
        }
        return HexFormat.of().parseHex(held["$name.public"] as String)
    }

    @Synchronized
    override fun sign(name: String, message: ByteArray): ByteArray {
        if (refuses) throw HostException.Failed("no finger on the sensor")
        signed += 1
        val encoded = HexFormat.of().parseHex(held()["$name.private"] as String)
        val key = KeyFactory.getInstance("EC").generatePrivate(PKCS8EncodedKeySpec(encoded))
        return Signature.getInstance("SHA256withECDSA").run {
            initSign(key)
            update(message)
            sign()
        }
    }
}

/** So many bytes that no compression helps, without ever holding them; hashed as they are given. */
class Film(private var left: Long, private val atBytes: Long = Long.MAX_VALUE, private val then: () -> Unit = {}) : ByteSource {
    val hash: MessageDigest = MessageDigest.getInstance("SHA-256")
    private val piece = ByteArray(1 shl 20).also(SecureRandom()::nextBytes)
    private var given = 0L

    override fun read(most: UInt): ByteArray {
        val count = min(min(most.toLong(), left), piece.size.toLong()).toInt()
        left -= count
        given += count
        hash.update(piece, 0, count)
        if (given >= atBytes) then()
        return if (count == piece.size) piece else piece.copyOf(count)
    }
}

/** Gives a little, then throws what nobody declared. */
class GoneCamera : ByteSource {
    private var asked = 0

    override fun read(most: UInt): ByteArray {
        asked += 1
        if (asked > 2) throw java.io.IOException("the camera was unplugged")
        return ByteArray(1000) { -1 }
    }
}

/** A source of pieces that are given out one by one. */
class Pieces(vararg pieces: ByteArray) : ByteSource {
    private val left = pieces.toMutableList()

    override fun read(most: UInt): ByteArray = left.removeFirstOrNull() ?: ByteArray(0)
}

/** Notes what it is told; `throws` makes it fail. */
class Listener(private val throws: Boolean = false, private val on: (Progress) -> Unit = {}) : ProgressListener {
    val told = mutableListOf<Progress>()

    override fun moved(progress: Progress) {
        check(!throws) { "the screen is gone" }
        told.add(progress)
        on(progress)
    }
}
