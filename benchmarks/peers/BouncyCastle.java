import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.HexFormat;
import org.bouncycastle.crypto.engines.AESEngine;
import org.bouncycastle.crypto.fpe.FPEFF1Engine;
import org.bouncycastle.crypto.params.FPEParameters;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * FF1 by Bouncy Castle, radix 10. Arguments: key and tweak in hexadecimal. The first line out is
 * the version. A line in is a value and how often to encrypt what came of it; a line out is what came
 * of it and the nanoseconds that took, in the form that the library takes: an array of digits.
 */
public final class BouncyCastle {
    public static void main(String[] arguments) throws IOException {
        HexFormat hex = HexFormat.of();
        KeyParameter key = new KeyParameter(hex.parseHex(arguments[0]));
        FPEFF1Engine engine = new FPEFF1Engine(AESEngine.newInstance());
        engine.init(true, new FPEParameters(key, 10, hex.parseHex(arguments[1])));
        System.out.println(new BouncyCastleProvider().getVersionStr());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] asked = line.split(" ");
            answer(engine, digits(asked[0]), Long.parseLong(asked[1]));
        }
    }

    private static void answer(FPEFF1Engine engine, byte[] value, long count) {
        long start = System.nanoTime();
        for (long at = 0; at < count; at++) {
            engine.processBlock(value, 0, value.length, value, 0);
        }
        System.out.println(text(value) + " " + (System.nanoTime() - start));
    }

    private static byte[] digits(String text) {
        byte[] digits = new byte[text.length()];
        for (int at = 0; at < digits.length; at++) {
            digits[at] = (byte) (text.charAt(at) - '0');
        }
        return digits;
    }

    private static String text(byte[] digits) {
        StringBuilder text = new StringBuilder(digits.length);
        for (byte digit : digits) {
            text.append((char) ('0' + digit));
        }
        return text.toString();
    }
}
